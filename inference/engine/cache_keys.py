"""The numbers by which the key-value cache knows tokens and pages again; no torch.

A key is 64 bits wide. A text token's key is its id. An image token's key comes from the picture's
digest and the token's number within the picture, with the highest bit set, which no id has: equal
pictures at an equal size have equal keys, and different ones never meet, nor do text and picture.

A page's chain is a 256-bit hash over all keys from the start of the conversation to the page's
end, so that equal chains mean equal prefixes: a page's keys and values depend on nothing else.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np

from inference.requests import PixelBudget

PICTURE_BIT: Final = 1 << 63
"""Set in the keys of image tokens only."""
CHAIN_BYTES: Final = 32


def picture_digest(sha256: str, *, pixels: PixelBudget, grid: Sequence[int]) -> bytes:
    """Return 32 bytes that stand for a picture as the model sees it.

    `sha256` is the hex hash of the encoded file, `grid` its size in patches. The grid counts too:
    the positions of all later tokens follow from it.
    """
    text = f"{sha256}/{pixels.value}/{'x'.join(map(str, grid))}"
    return hashlib.sha256(text.encode()).digest()


def picture_keys(digest: bytes, count: int) -> list[int]:
    """Return the keys of a picture's `count` image tokens."""
    # One extendable hash gives the keys of all tokens: about 1 µs a token, and a shorter picture's
    # keys would be a prefix of a longer one's, were the grid not in the digest.
    stream = hashlib.shake_128(digest).digest(8 * count)
    numbers = np.frombuffer(stream, dtype="<u8") | np.uint64(PICTURE_BIT)
    keys: list[int] = numbers.tolist()
    return keys


def chain_root(fingerprint: bytes) -> bytes:
    """Return the chain before the first page, other for each model, weights and number format."""
    return hashlib.blake2b(fingerprint, digest_size=CHAIN_BYTES, person=b"kv-chain-root").digest()


def extend_chain(chain: bytes, keys: Sequence[int]) -> bytes:
    """Return the chain of the page with these keys, from the chain of the page before it.

    Raises:
        OverflowError: a key is negative or wider than 64 bits.
    """
    return hashlib.blake2b(chain + array("Q", keys).tobytes(), digest_size=CHAIN_BYTES).digest()
