"""The radix tree of cached pages: which page follows which prefix, and which is forgotten first.

A node is a page: its path from the root spells the keys of all tokens up to the page's end. Nodes
with all S keys may have children. A node with fewer is the unfinished end of a conversation: it has
no children, is only ever copied from, and is no sibling's prefix.

A page is pinned while somebody beside the tree holds it. Who holds a page holds the path to it, so
with a pinned node all above are pinned, and all idle nodes can be forgotten, leaves first.

One thread at a time. Source: the radix attention of SGLang (arXiv:2312.07104, section 3), with a
fixed stride of one page, which needs no splitting of nodes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile

from inference.engine.cache_keys import extend_chain
from inference.engine.page_pool import PagePool

_ROOT_PAGE = -1


@dataclass(slots=True, eq=False)
class PageNode:
    """One cached page; `parent` is None for the root and for a forgotten node.

    `chain` identifies the whole prefix up to this page's end; `last_used` is the tree's clock.
    """

    keys: tuple[int, ...]
    page: int
    chain: bytes
    parent: PageNode | None = None
    children: dict[tuple[int, ...], PageNode] = field(default_factory=dict)
    last_used: int = 0


class PrefixTree:
    """All pages that later sequences may reuse; holds each of them once in the pool.

    Invariant: `idle_count` is the number of nodes that nobody beside the tree holds.
    """

    def __init__(self, pool: PagePool, root_chain: bytes) -> None:
        """Start empty; `root_chain` stands for the model, before all keys."""
        self._pool = pool
        self.root = PageNode(keys=(), page=_ROOT_PAGE, chain=root_chain)
        self.node_count = 0
        self.idle_count = 0
        self._clock = 0
        self._pushes = 0
        # Entries may be outdated: a used node is pushed again with its new time, and the old
        # entry is thrown away when it comes to the top.
        self._oldest: list[tuple[int, int, PageNode]] = []

    def child(self, parent: PageNode, keys: Sequence[int]) -> PageNode | None:
        """Return the node of exactly these keys behind `parent`, or None."""
        return parent.children.get(tuple(keys))

    def closest_child(self, parent: PageNode, keys: Sequence[int]) -> tuple[PageNode | None, int]:
        """Return the child that shares most first keys with `keys`, and how many; (None, 0)."""
        best, most = None, 0
        for child in parent.children.values():
            shared = count_shared(child.keys, keys)
            if shared > most:
                best, most = child, shared
        return best, most

    def insert(self, parent: PageNode, keys: Sequence[int], page: int) -> PageNode:
        """Add a page that the caller holds, and now shares with the tree; return its node.

        The keys must be new behind `parent`. Unfinished siblings that they continue are forgotten.
        """
        own = tuple(keys)
        for child in list(parent.children.values()):
            if len(child.keys) < len(own) and child.keys == own[: len(child.keys)]:
                self.remove(child)
        node = PageNode(own, page, extend_chain(parent.chain, own), parent)
        parent.children[own] = node
        self._pool.share(page)
        self.node_count += 1
        return node

    def insert_unfinished(
        self, parent: PageNode, keys: Sequence[int], page: int
    ) -> PageNode | None:
        """Add a page of fewer than S keys, as `insert`; None if a child begins with them anyway."""
        _, shared = self.closest_child(parent, keys)
        return None if shared == len(keys) else self.insert(parent, keys, page)

    def pin(self, node: PageNode) -> None:
        """Hold a node's page, so that it is not forgotten."""
        if self.is_idle(node):
            self.idle_count -= 1
        self._pool.share(node.page)

    def unpin(self, path: Sequence[PageNode]) -> None:
        """Let go of nodes, in the order from the root; all count as used just now."""
        self._clock += 1
        for node in reversed(path):
            node.last_used = self._clock
            self._pool.release(node.page)
            if self.is_idle(node):
                self.idle_count += 1
                self._push_leaf(node)

    def is_idle(self, node: PageNode) -> bool:
        """Say whether nobody beside the tree holds a node's page."""
        return self._pool.references(node.page) == 1

    def oldest_idle_leaf(self) -> PageNode:
        """Return the node to be forgotten next.

        Raises:
            IndexError: none is idle.
        """
        while not self._is_current(self._oldest[0]):
            heapq.heappop(self._oldest)
        return self._oldest[0][2]

    def remove(self, leaf: PageNode) -> None:
        """Forget an idle node without children, and free its page.

        Raises:
            ValueError: the node is in use, has children, or was forgotten before.
        """
        parent = leaf.parent
        if parent is None or leaf.children or not self.is_idle(leaf):
            raise ValueError("only an idle leaf of the tree can be forgotten")
        del parent.children[leaf.keys]
        leaf.parent = None
        self._pool.release(leaf.page)
        self.node_count -= 1
        self.idle_count -= 1
        if parent is not self.root and self.is_idle(parent):
            self._push_leaf(parent)

    def idle_run(
        self, leaf: PageNode, *, most: int, is_wanted: Callable[[PageNode], bool]
    ) -> list[PageNode]:
        """Return up to `most` idle, wanted nodes that end in `leaf`, in the order from the root."""
        upwards = takewhile(
            lambda node: self.is_idle(node) and is_wanted(node), reversed(self.path(leaf))
        )
        return list(islice(upwards, most))[::-1]

    def nodes(self) -> Iterator[PageNode]:
        """Yield all nodes but the root, a parent before its children."""
        waiting = list(self.root.children.values())
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.children.values())

    def path(self, node: PageNode) -> list[PageNode]:
        """Return the nodes from the first page to `node`."""
        steps = []
        step: PageNode | None = node
        while step is not None and step is not self.root:
            steps.append(step)
            step = step.parent
        return steps[::-1]

    def _push_leaf(self, node: PageNode) -> None:
        if node.children:
            return
        if len(self._oldest) > 2 * self._pool.page_count:
            self._drop_outdated()
        self._pushes += 1
        heapq.heappush(self._oldest, (node.last_used, self._pushes, node))

    def _drop_outdated(self) -> None:
        current = {entry[2]: entry for entry in self._oldest if self._is_current(entry)}
        self._oldest = list(current.values())
        heapq.heapify(self._oldest)

    def _is_current(self, entry: tuple[int, int, PageNode]) -> bool:
        last_used, _, node = entry
        if node.parent is None or node.children or node.last_used != last_used:
            return False
        return self.is_idle(node)


def count_shared(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many first keys two runs have in common."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
