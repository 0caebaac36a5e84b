"""How a sequence comes to pages that it need not compute: from the tree, from disk, by copying.

Whole pages are shared; of a page that begins as wanted and then goes another way, a copy is taken,
so no page is ever written while two read it. Letters: S tokens a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.engine.page_pool import PagePool
from inference.engine.page_supply import PageSupply
from inference.engine.paged_sequence import PagedSequence
from inference.engine.prefix_tree import PageNode, PrefixTree
from inference.engine.spill import PageSpill
from inference.engine.spill_file import MOST_PAGES


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """How much of a prompt is known: `tokens` in memory, and behind them `spilled_tokens`."""

    tokens: int
    spilled_tokens: int = 0


class PrefixReuse:
    """Finds known prefixes in a tree and its spill, and attaches them to sequences.

    Never a whole prompt: its last token has to be computed, for the logits behind it.
    """

    def __init__(
        self, pool: PagePool, tree: PrefixTree, supply: PageSupply, spill: PageSpill | None
    ) -> None:
        """Work on the parts of one cache."""
        self._pool = pool
        self._tree = tree
        self._supply = supply
        self._spill = spill
        self.restored_tokens = 0

    def look_up(self, keys: Sequence[int]) -> CachedPrefix:
        """Return how much of a prompt is known, changing nothing."""
        limit, size = len(keys) - 1, self._pool.page_tokens
        node, tokens = self._tree.root, 0
        while tokens + size <= limit:
            child = self._tree.child(node, keys[tokens : tokens + size])
            if child is None:
                break
            node, tokens = child, tokens + size
        spilled = size * len(self._spill.find(node, keys[tokens:limit])) if self._spill else 0
        _, partial = self._tree.closest_child(node, keys[tokens : min(tokens + size, limit)])
        return CachedPrefix(tokens + partial, max(0, spilled - partial))

    def extend(self, sequence: PagedSequence, keys: Sequence[int]) -> None:
        """Attach what is known of a prompt behind the tokens that the sequence has already."""
        limit = len(keys) - 1
        self._follow_tree(sequence, keys, limit)
        self._restore(sequence, keys, limit)
        self._borrow_beginning(sequence, keys, limit)

    def share_first_page(self, sequence: PagedSequence) -> None:
        """Give a sequence's first full own page to the tree, or take the tree's in its place."""
        size = self._pool.page_tokens
        keys = sequence.tail_keys[:size]
        known = self._tree.child(self.last_node(sequence), keys)
        if known is None:
            self._give(sequence, keys)
        else:
            self._adopt(sequence, known)
        del sequence.tail_keys[:size]

    def last_node(self, sequence: PagedSequence) -> PageNode:
        """Return the node behind which a sequence goes on by itself."""
        return sequence.nodes[-1] if sequence.nodes else self._tree.root

    def _follow_tree(self, sequence: PagedSequence, keys: Sequence[int], limit: int) -> None:
        size = self._pool.page_tokens
        while (start := sequence.shared_tokens) + size <= limit:
            node = self._tree.child(self.last_node(sequence), keys[start : start + size])
            if node is None:
                return
            self._adopt(sequence, node)
            sequence.tail_keys.clear()

    def _restore(self, sequence: PagedSequence, keys: Sequence[int], limit: int) -> None:
        if self._spill is None:
            return
        start = sequence.shared_tokens
        wanted = keys[start : min(start + MOST_PAGES * self._pool.page_tokens, limit)]
        for spilled in self._spill.find(self.last_node(sequence), wanted):
            content = self._spill.folder.read(spilled.chain)
            if content is None or not self._has_own_page(sequence):
                return
            self._pool.copy_in(sequence.pages[len(sequence.nodes)], content)
            self._give(sequence, spilled.keys)
            sequence.tail_keys.clear()
            self.restored_tokens += self._pool.page_tokens

    def _borrow_beginning(self, sequence: PagedSequence, keys: Sequence[int], limit: int) -> None:
        start = sequence.shared_tokens
        wanted = keys[start : min(start + self._pool.page_tokens, limit)]
        node, shared = self._tree.closest_child(self.last_node(sequence), wanted)
        if node is None or shared <= len(sequence.tail_keys):
            return
        self._tree.pin(node)  # making room must not forget what is to be copied
        if self._has_own_page(sequence):
            self._pool.copy_page(node.page, sequence.pages[len(sequence.nodes)])
            sequence.tail_keys[:] = wanted[:shared]
        self._tree.unpin([node])

    def _give(self, sequence: PagedSequence, keys: Sequence[int]) -> None:
        page = sequence.pages[len(sequence.nodes)]
        sequence.nodes.append(self._tree.insert(self.last_node(sequence), keys, page))

    def _adopt(self, sequence: PagedSequence, node: PageNode) -> None:
        """Go on with a shared page, instead of an own one where there is one."""
        self._tree.pin(node)
        number = len(sequence.nodes)
        if number < len(sequence.pages):
            self._pool.release(sequence.pages[number])
            sequence.pages[number] = node.page
        else:
            sequence.pages.append(node.page)
        sequence.nodes.append(node)

    def _has_own_page(self, sequence: PagedSequence) -> bool:
        """Say whether there is a page behind the shared ones, adding one if there is room."""
        return len(sequence.pages) > len(sequence.nodes) or self._supply.add_page(sequence)
