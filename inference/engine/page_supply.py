"""Where a sequence's new pages come from: free ones, then the pages of idle prefixes."""

from __future__ import annotations

from inference.engine.page_pool import PagePool
from inference.engine.paged_sequence import PagedSequence
from inference.engine.prefix_tree import PrefixTree
from inference.engine.spill import PageSpill


class PageSupply:
    """Gives out pages, forgetting what is idle; offers what is forgotten to the spill, if any."""

    def __init__(self, pool: PagePool, tree: PrefixTree, spill: PageSpill | None) -> None:
        """Give out pages of `pool` and, when it is empty, of `tree`."""
        self._pool = pool
        self._tree = tree
        self._spill = spill
        self.evicted_pages = 0

    @property
    def available_pages(self) -> int:
        """Return how many pages could be given out now."""
        return self._pool.free_count + self._tree.idle_count

    def add_page(self, sequence: PagedSequence) -> bool:
        """Append a page to a sequence's table; False when none is available."""
        if not self.available_pages:
            return False
        while (page := self._pool.allocate()) is None:
            self._evict()
        sequence.pages.append(page)
        return True

    def _evict(self) -> None:
        leaf = self._tree.oldest_idle_leaf()
        if self._spill is not None:
            self._spill.keep(leaf)
        self._tree.remove(leaf)
        self.evicted_pages += 1
