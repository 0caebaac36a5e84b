"""Encoded pictures: found again, within the budget, and holding no more memory than counted."""

from __future__ import annotations

import pytest
import torch

from inference.engine.picture_cache import PictureCache
from inference.engine.vision import PictureFeatures

BYTES = 4 * (2 * 8 + 3 * 2 * 8)


def features(fill: float = 0.0, dtype: torch.dtype = torch.float32) -> PictureFeatures:
    return PictureFeatures(
        tokens=torch.full((2, 8), fill, dtype=dtype), deep=torch.full((3, 2, 8), fill, dtype=dtype)
    )


def test_a_picture_is_found_again() -> None:
    cache = PictureCache(BYTES)
    cat = features(1.0)
    cache.put(b"cat", cat)

    found = cache.get(b"cat")

    assert found is not None
    assert torch.equal(found.tokens, cat.tokens)
    assert torch.equal(found.deep, cat.deep)


def test_an_unknown_picture_is_not() -> None:
    assert PictureCache(BYTES).get(b"cat") is None


def test_asking_whether_a_picture_is_kept_is_no_use_of_it() -> None:
    cache = PictureCache(2 * BYTES)
    cache.put(b"cat", features())
    cache.put(b"dog", features())
    assert cache.has(b"cat")

    cache.put(b"cow", features())

    assert not cache.has(b"cat")
    assert (cache.stats().hits, cache.stats().misses) == (0, 0)


def test_the_longest_unused_makes_room() -> None:
    cache = PictureCache(2 * BYTES)
    cache.put(b"cat", features())
    cache.put(b"dog", features())
    cache.get(b"cat")

    cache.put(b"cow", features())

    assert [cache.get(name) is not None for name in (b"cat", b"dog", b"cow")] == [True, False, True]


def test_the_same_picture_again_takes_no_more_memory() -> None:
    cache = PictureCache(BYTES)
    cache.put(b"cat", features(1.0))
    cache.put(b"cat", features(2.0))

    found = cache.get(b"cat")

    assert found is not None
    assert found.tokens[0, 0] == 2.0
    assert (cache.stats().used_bytes, cache.stats().evictions) == (BYTES, 0)


@pytest.mark.parametrize("budget", [0, BYTES - 1])
def test_a_picture_beyond_the_budget_is_not_kept(budget: int) -> None:
    cache = PictureCache(budget)

    cache.put(b"cat", features())

    assert cache.get(b"cat") is None


def test_a_picture_beyond_the_budget_pushes_nothing_out() -> None:
    cache = PictureCache(BYTES // 2)
    cache.put(b"cat", features(dtype=torch.bfloat16))

    cache.put(b"dog", features())

    assert cache.get(b"cat") is not None


def test_one_picture_of_a_batch_does_not_keep_the_batch() -> None:
    batch = torch.ones(100, 8)
    cache = PictureCache(10 * BYTES)

    cache.put(b"cat", PictureFeatures(tokens=batch[:2], deep=features().deep))

    found = cache.get(b"cat")
    assert found is not None
    assert found.tokens.untyped_storage().nbytes() == 2 * 8 * 4


def test_stats_tell_how_full_and_how_useful_it_is() -> None:
    cache = PictureCache(BYTES)
    cache.put(b"cat", features())
    cache.put(b"dog", features())
    cache.get(b"cat")
    cache.get(b"dog")

    stats = cache.stats()

    assert (stats.pictures, stats.used_bytes) == (1, BYTES)
    assert (stats.hits, stats.misses, stats.evictions) == (1, 1, 1)
