"""A stand-in for the network that makes every mix-up of pages visible.

Into each slot it writes a hash of all keys up to that token, so a slot is right exactly if it was
computed behind the same prefix.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from inference.engine.kv_cache import KVCache
from inference.engine.page_pool import PagePool
from inference.engine.paged_sequence import PagedSequence

S = 4


def make_pool(pages: int) -> PagePool:
    """Return a pool of small pages: 2 layers, one head, 4 tokens."""
    return PagePool(torch.zeros((2, pages, 2, 1, S, 1), dtype=torch.int64), S)


def hash_prefix(keys: Sequence[int]) -> int:
    """Return what the model writes behind these keys."""
    state = 1
    for key in keys:
        state = hash((state, key))
    return state


class HashingModel:
    """Writes to a cache's memory as the network does: rows behind a sequence's length."""

    def __init__(self, cache: KVCache) -> None:
        """Compute into the memory of `cache`."""
        self._cache = cache
        self._memory = cache.pool.memory

    def write(self, sequence: PagedSequence, keys: Sequence[int], end: int) -> None:
        """Write the tokens from the sequence's length up to `end`; refuse shared pages."""
        for index in range(sequence.length, end):
            page = sequence.pages[index // S]
            assert self._cache.pool.references(page) == 1, "a shared page is being written"
            self._memory[:, page, :, :, index % S] = hash_prefix(keys[: index + 1])

    def run(self, sequence: PagedSequence, keys: Sequence[int], end: int) -> bool:
        """Reserve, write and commit up to `end`; False if there is no room."""
        if not self._cache.reserve(sequence, end):
            return False
        self.write(sequence, keys, end)
        self._cache.commit(sequence, keys[sequence.length : end])
        return True

    def answer(self, keys: Sequence[int]) -> PagedSequence:
        """Run a whole prompt through and release it; return the sequence for its figures."""
        sequence = self._cache.begin(keys)
        assert self.run(sequence, keys, len(keys))
        self._cache.release(sequence)
        return sequence

    def check(self, sequence: PagedSequence, keys: Sequence[int]) -> None:
        """Fail unless every slot of a running sequence is right."""
        for index in range(sequence.length):
            self.check_slot(sequence.pages[index // S], index % S, keys[: index + 1])

    def check_slot(self, page: int, slot: int, prefix: Sequence[int]) -> None:
        """Fail unless a slot was computed behind exactly this prefix."""
        assert self._memory[:, page, :, :, slot].eq(hash_prefix(prefix)).all()
