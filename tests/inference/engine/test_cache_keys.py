"""Keys: equal for equal pictures, never equal for others, and never those of text."""

from __future__ import annotations

from itertools import combinations

import pytest

from inference.engine.cache_keys import (
    CHAIN_BYTES,
    PICTURE_BIT,
    chain_root,
    extend_chain,
    picture_digest,
    picture_keys,
)
from inference.requests import PixelBudget

SHA = "ab" * 32
DIGEST = picture_digest(SHA, pixels=PixelBudget.FAST, grid=(1, 4, 6))


def test_equal_pictures_have_equal_keys() -> None:
    again = picture_digest(SHA, pixels=PixelBudget.FAST, grid=[1, 4, 6])

    assert picture_keys(again, 6) == picture_keys(DIGEST, 6)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(picture_digest("cd" * 32, pixels=PixelBudget.FAST, grid=(1, 4, 6)), id="file"),
        pytest.param(picture_digest(SHA, pixels=PixelBudget.FULL, grid=(1, 4, 6)), id="budget"),
        pytest.param(picture_digest(SHA, pixels=PixelBudget.FAST, grid=(1, 6, 4)), id="grid"),
        pytest.param(picture_digest(SHA, pixels=PixelBudget.FAST, grid=(14, 6)), id="separators"),
    ],
)
def test_another_picture_shares_no_key(other: bytes) -> None:
    assert not set(picture_keys(DIGEST, 500)) & set(picture_keys(other, 500))


def test_tokens_of_a_picture_differ() -> None:
    keys = picture_keys(DIGEST, 2000)

    assert len(set(keys)) == 2000


def test_every_key_of_a_picture_has_the_bit_that_no_text_has() -> None:
    keys = picture_keys(DIGEST, 100)

    assert all(key & PICTURE_BIT and key < 2**64 for key in keys)


def test_no_tokens_have_no_keys() -> None:
    assert picture_keys(DIGEST, 0) == []


def test_chain_depends_on_model_keys_order_and_everything_before() -> None:
    root = chain_root(b"model")
    chains = [
        extend_chain(root, (1, 2)),
        extend_chain(root, (2, 1)),
        extend_chain(chain_root(b"other"), (1, 2)),
        extend_chain(extend_chain(root, (1, 2)), (1, 2)),
        extend_chain(root, (1, 2, 1, 2)),
        root,
    ]

    assert all(one != other for one, other in combinations(chains, 2))
    assert {len(chain) for chain in chains} == {CHAIN_BYTES}


@pytest.mark.parametrize("key", [-1, 2**64])
def test_a_key_beyond_64_bits_is_refused(key: int) -> None:
    with pytest.raises(OverflowError):
        extend_chain(chain_root(b""), (key,))
