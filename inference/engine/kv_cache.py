"""The paged key-value cache: what a sequence need not compute because another one has.

It decides which page of memory holds which token, and knows tokens by their keys (`cache_keys`)
only: no model, no text, no person. Nothing passes from one sequence to another but pages of equal
prefixes. Life of a sequence: `begin` finds the longest known prefix, `reserve` makes room, the
model writes, `commit` says what was written, …, `release` leaves everything behind as cache.

One thread at a time, between the model's steps. Letters: S tokens a page, B sequences.

Invariants, checked by `check_invariants`: a page is free, or in the tree, or one sequence's own;
shared pages are never written; a sequence's page table covers its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.engine.cache_invariants import check_cache
from inference.engine.cache_keys import chain_root
from inference.engine.page_pool import PagePool
from inference.engine.page_supply import PageSupply
from inference.engine.paged_sequence import PagedSequence
from inference.engine.prefix_reuse import CachedPrefix, PrefixReuse
from inference.engine.prefix_tree import PrefixTree
from inference.engine.spill import PageSpill
from inference.engine.spill_folder import SpillFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """The cache at one moment, and what it did since the start.

    Pages are free, `private` to one sequence, or `cached` in the tree; of the latter `idle` are
    used by nobody and can be forgotten. `hit_tokens` were found, `miss_tokens` were not; of the
    hits `restored_tokens` came from disk.
    """

    pages: int
    free_pages: int
    private_pages: int
    cached_pages: int
    idle_pages: int
    sequences: int
    hit_tokens: int
    miss_tokens: int
    restored_tokens: int
    evicted_pages: int


class KVCache:
    """All pages, all running sequences, and everything remembered of earlier ones."""

    def __init__(self, pool: PagePool, folder: SpillFolder | None = None) -> None:
        """Start empty over free pages; `folder`, if given, keeps what memory has no room for."""
        self.pool = pool
        self._tree = PrefixTree(pool, folder.form.model if folder else chain_root(b""))
        self._spill = PageSpill(pool, self._tree, folder) if folder else None
        self._supply = PageSupply(pool, self._tree, self._spill)
        self._reuse = PrefixReuse(pool, self._tree, self._supply, self._spill)
        self._sequences: set[PagedSequence] = set()
        self._hit_tokens = 0
        self._miss_tokens = 0

    @property
    def capacity_tokens(self) -> int:
        """Return how many tokens all pages together hold."""
        return self.pool.page_count * self.pool.page_tokens

    @property
    def available_tokens(self) -> int:
        """Return how many tokens could get pages now, if all that is idle were forgotten."""
        return self._supply.available_pages * self.pool.page_tokens

    def fits(self, tokens: int) -> bool:
        """Say whether a sequence of this length could ever run, alone."""
        return tokens <= self.capacity_tokens

    def match(self, keys: Sequence[int]) -> CachedPrefix:
        """Look up how much of a prompt is known; changes nothing, so it may be gone a step later.

        Never the whole prompt: the last token has to be computed for its logits.
        """
        return self._reuse.look_up(keys)

    def begin(self, keys: Sequence[int]) -> PagedSequence:
        """Start a sequence for a prompt; it holds the known prefix from now on.

        Needs no room; `length` tells where computing starts, `cached_tokens` the same for the
        bill.
        """
        sequence = PagedSequence(self.pool.page_tokens)
        self._sequences.add(sequence)
        self._miss_tokens += len(keys)
        self.catch_up(sequence, keys)
        return sequence

    def catch_up(self, sequence: PagedSequence, keys: Sequence[int]) -> int:
        """Take over what has become known of a prompt's next tokens; return how many they are.

        `keys` is the whole prompt, whose first tokens are the sequence's. Worth a call before each
        chunk of a prefill: another sequence may have computed the same picture meanwhile, and from
        disk come at most 16 pages a call, so that no step waits long.
        """
        self._check_open(sequence)
        before = sequence.length
        self._reuse.extend(sequence, keys)
        gained = sequence.length - before
        sequence.cached_tokens += gained
        self._hit_tokens += gained
        self._miss_tokens -= gained
        return gained

    def reserve(self, sequence: PagedSequence, tokens: int) -> bool:
        """Grow a sequence's page table to cover `tokens` in all, forgetting what nobody uses.

        False, and nothing changed, when the others leave too little.
        """
        self._check_open(sequence)
        missing = self.pool.count_pages(tokens) - len(sequence.pages)
        if missing > self._supply.available_pages:
            return False
        for _ in range(missing):
            self._supply.add_page(sequence)
        return True

    def commit(self, sequence: PagedSequence, keys: Sequence[int]) -> None:
        """Note that the next tokens' keys and values have been written.

        `keys` are those of the new tokens, in order, all of them final: rows of rejected drafts
        are simply not committed, and overwritten later. Full pages can be found from now on; where
        somebody was faster, the sequence goes on with the other's page.

        Raises:
            ValueError: more tokens than were reserved.
        """
        self._check_open(sequence)
        if sequence.length + len(keys) > sequence.reserved_tokens:
            raise ValueError("tokens were committed for which nothing was reserved")
        sequence.tail_keys.extend(keys)
        while len(sequence.tail_keys) >= self.pool.page_tokens:
            self._reuse.share_first_page(sequence)

    def release(self, sequence: PagedSequence) -> None:
        """End a sequence, finished or not; what it committed stays as cache while there is room.

        Raises:
            ValueError: it was released already.
        """
        self._check_open(sequence)
        path = list(sequence.nodes)
        own = sequence.pages[len(path) :]
        if sequence.tail_keys:
            tail = self._tree.insert_unfinished(
                self._reuse.last_node(sequence), sequence.tail_keys, own[0]
            )
            if tail is not None:
                path.append(tail)
                own = own[1:]
        for page in own:
            self.pool.release(page)
        self._tree.unpin(path)
        sequence.is_released = True
        self._sequences.remove(sequence)

    def page_tables(self, sequences: Sequence[PagedSequence]) -> Tensor:
        """Return the page tables (B, most pages) int32 for a step, -1 behind each one's end."""
        most = max((len(sequence.pages) for sequence in sequences), default=0)
        rows = [sequence.pages + [-1] * (most - len(sequence.pages)) for sequence in sequences]
        return torch.tensor(rows, dtype=torch.int32).reshape(len(rows), most)

    def stats(self) -> CacheStats:
        """Return how full the cache is and what it found."""
        return CacheStats(
            pages=self.pool.page_count,
            free_pages=self.pool.free_count,
            private_pages=self.pool.page_count - self.pool.free_count - self._tree.node_count,
            cached_pages=self._tree.node_count,
            idle_pages=self._tree.idle_count,
            sequences=len(self._sequences),
            hit_tokens=self._hit_tokens,
            miss_tokens=self._miss_tokens,
            restored_tokens=self._reuse.restored_tokens,
            evicted_pages=self._supply.evicted_pages,
        )

    def check_invariants(self) -> None:
        """Check everything this module promises, in time linear in pages.

        Raises:
            CacheInvariantError: a promise is broken.
        """
        check_cache(self.pool, self._tree, self._sequences)

    def close(self, within_s: float = 5.0) -> None:
        """Spill what is in memory, the latest conversations first, as far as the time allows."""
        if self._spill is not None:
            self._spill.keep_all(within_s)

    def _check_open(self, sequence: PagedSequence) -> None:
        if sequence.is_released:
            raise ValueError("the sequence was released")
