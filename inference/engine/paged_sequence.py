"""One running sequence's share of the key-value cache: its pages in order, and how full they are.

The cache alone changes it; the scheduler reads it. Of S tokens a page: the first pages belong to
the prefix tree and are only read, the page behind them takes what is computed next.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.engine.prefix_tree import PageNode


@dataclass(slots=True, eq=False)
class PagedSequence:
    """The pages of one sequence.

    `pages` is the page table; its first pages are those of `nodes`, shared and never written again,
    the others are this sequence's own. `tail_keys` are the keys of computed tokens behind the
    shared pages. `cached_tokens` counts the tokens that were not computed but found.
    """

    page_tokens: int
    pages: list[int] = field(default_factory=list)
    nodes: list[PageNode] = field(default_factory=list)
    tail_keys: list[int] = field(default_factory=list)
    cached_tokens: int = 0
    is_released: bool = False

    @property
    def shared_tokens(self) -> int:
        """Return how many tokens lie in shared pages."""
        return len(self.nodes) * self.page_tokens

    @property
    def length(self) -> int:
        """Return how many tokens are in the cache: the index of the next one to compute."""
        return self.shared_tokens + len(self.tail_keys)

    @property
    def reserved_tokens(self) -> int:
        """Return how many tokens the page table has room for."""
        return len(self.pages) * self.page_tokens
