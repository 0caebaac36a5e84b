"""The promises of the key-value cache as a check: linear in pages, for tests and idle moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from inference.engine.page_pool import PagePool
from inference.engine.paged_sequence import PagedSequence
from inference.engine.prefix_tree import PageNode, PrefixTree


class CacheInvariantError(Exception):
    """The cache's books are wrong: a defect of this program; the text says what disagrees."""


def check_cache(pool: PagePool, tree: PrefixTree, sequences: Collection[PagedSequence]) -> None:
    """Check that every page is held by exactly those whom its count names.

    Raises:
        CacheInvariantError: a page is lost, doubly used or wrongly counted; a page table is too
            short or not the path in the tree; the tree is misshapen.
    """
    in_tree = _check_tree(pool, tree)
    own: Counter[int] = Counter()
    held: Counter[int] = Counter(in_tree)
    for sequence in sequences:
        _check_sequence(tree, sequence)
        held.update(sequence.pages)
        own.update(sequence.pages[len(sequence.nodes) :])
    _claim(all(count == 1 for count in own.values()), "two sequences own one page")
    _claim(not own.keys() & in_tree.keys(), "a sequence's own page is in the tree")
    _check_counts(pool, held)


def _check_tree(pool: PagePool, tree: PrefixTree) -> Counter[int]:
    pages: Counter[int] = Counter()
    idle = 0
    for node in tree.nodes():
        pages[node.page] += 1
        idle += tree.is_idle(node)
        _check_node(pool, node)
    _claim(all(count == 1 for count in pages.values()), "a page is twice in the tree")
    _claim(tree.node_count == pages.total(), "the count of nodes is wrong")
    _claim(tree.idle_count == idle, "the count of idle nodes is wrong")
    return pages


def _check_node(pool: PagePool, node: PageNode) -> None:
    parent = node.parent
    _claim(parent is not None and parent.children.get(node.keys) is node, "a node is misplaced")
    _claim(1 <= len(node.keys) <= pool.page_tokens, "a node has no keys or too many")
    if parent is None or len(node.keys) == pool.page_tokens:
        return
    _claim(not node.children, "an unfinished page has successors")
    longer = sum(other.keys[: len(node.keys)] == node.keys for other in parent.children.values())
    _claim(longer == 1, "an unfinished page is the beginning of its sibling")


def _check_sequence(tree: PrefixTree, sequence: PagedSequence) -> None:
    _claim(not sequence.is_released, "a released sequence is still known")
    _claim(sequence.length <= sequence.reserved_tokens, "a page table is shorter than its sequence")
    _claim(len(sequence.tail_keys) < sequence.page_tokens, "a full page was not shared")
    parent = tree.root
    for page, node in zip(sequence.pages, sequence.nodes, strict=False):
        _claim(page == node.page and node.parent is parent, "a page table left the tree's path")
        parent = node


def _check_counts(pool: PagePool, held: Counter[int]) -> None:
    free = Counter(pool.list_free())
    for page in range(pool.page_count):
        _claim(pool.references(page) == held[page], f"page {page} is wrongly counted")
        _claim(free[page] == (not held[page]), f"page {page} is free and held, or neither")


def _claim(is_true: bool, otherwise: str) -> None:
    if not is_true:
        raise CacheInvariantError(otherwise)
