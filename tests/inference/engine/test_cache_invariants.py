"""The check finds each way in which the cache's books can be wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inference.engine.cache_invariants import CacheInvariantError
from inference.engine.kv_cache import KVCache
from inference.engine.paged_sequence import PagedSequence
from tests.inference.engine.hashing_model import HashingModel, make_pool

KEYS = [1, 2, 3, 4, 5, 6, 7, 8, 9]


def make_busy_cache() -> tuple[KVCache, PagedSequence]:
    """Return a cache with an idle conversation, an unfinished page and a running sequence."""
    cache = KVCache(make_pool(12))
    model = HashingModel(cache)
    model.answer([1, 2, 3, 4, 0, 0])
    sequence = cache.begin(KEYS)
    model.run(sequence, KEYS, 9)
    return cache, sequence


def lose_a_page(cache: KVCache, _: PagedSequence) -> None:
    cache.pool.allocate()


def free_a_page_twice(cache: KVCache, _: PagedSequence) -> None:
    cache.pool._free.append(cache.pool._free[0])


def count_a_page_once_more(cache: KVCache, sequence: PagedSequence) -> None:
    cache.pool.share(sequence.pages[-1])


def own_a_page_together(cache: KVCache, sequence: PagedSequence) -> None:
    other = cache.begin([])
    other.pages.append(sequence.pages[-1])
    cache.pool.share(sequence.pages[-1])


def own_a_page_of_the_tree(cache: KVCache, sequence: PagedSequence) -> None:
    other = cache.begin([])
    other.pages.append(sequence.pages[0])
    cache.pool.share(sequence.pages[0])


def put_a_page_twice_into_the_tree(cache: KVCache, sequence: PagedSequence) -> None:
    cache._tree.insert(sequence.nodes[-1], KEYS[:4], sequence.pages[0])


def miscount_nodes(cache: KVCache, _: PagedSequence) -> None:
    cache._tree.node_count += 1


def miscount_idle_nodes(cache: KVCache, _: PagedSequence) -> None:
    cache._tree.idle_count += 1


def misplace_a_node(cache: KVCache, sequence: PagedSequence) -> None:
    sequence.nodes[1].parent = cache._tree.root


def cut_the_path(_: KVCache, sequence: PagedSequence) -> None:
    del sequence.nodes[0]


def swap_pages_of_the_table(_: KVCache, sequence: PagedSequence) -> None:
    sequence.pages[:2] = reversed(sequence.pages[:2])


def shorten_the_table(cache: KVCache, sequence: PagedSequence) -> None:
    cache.pool.release(sequence.pages.pop())


def hoard_a_full_page(cache: KVCache, sequence: PagedSequence) -> None:
    cache.reserve(sequence, 20)
    sequence.tail_keys.extend([0] * 4)


def release_by_half(_: KVCache, sequence: PagedSequence) -> None:
    sequence.is_released = True


def empty_a_node(_: KVCache, sequence: PagedSequence) -> None:
    node = sequence.nodes[-1]
    assert node.parent is not None
    del node.parent.children[node.keys]
    node.keys = ()
    node.parent.children[()] = node


def find_unfinished(cache: KVCache) -> tuple[int, ...]:
    return next(node.keys for node in cache._tree.nodes() if len(node.keys) == 2)


def follow_an_unfinished_page(cache: KVCache, sequence: PagedSequence) -> None:
    parent = sequence.nodes[0].children[find_unfinished(cache)]
    node = cache._tree.insert(parent, KEYS[:4], cache.pool.allocate() or 0)
    cache._tree.unpin([node])


def keep_the_beginning_of_a_sibling(cache: KVCache, sequence: PagedSequence) -> None:
    unfinished = sequence.nodes[0].children.pop(find_unfinished(cache))
    unfinished.keys = (5, 6)
    sequence.nodes[0].children[(5, 6)] = unfinished


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose_a_page, "is wrongly counted"),
        (free_a_page_twice, "is free and held, or neither"),
        (count_a_page_once_more, "is wrongly counted"),
        (own_a_page_together, "two sequences own one page"),
        (own_a_page_of_the_tree, "own page is in the tree"),
        (put_a_page_twice_into_the_tree, "twice in the tree"),
        (miscount_nodes, "count of nodes"),
        (miscount_idle_nodes, "count of idle nodes"),
        (misplace_a_node, "misplaced"),
        (cut_the_path, "left the tree's path"),
        (swap_pages_of_the_table, "left the tree's path"),
        (shorten_the_table, "shorter than its sequence"),
        (hoard_a_full_page, "a full page was not shared"),
        (release_by_half, "still known"),
        (empty_a_node, "no keys or too many"),
        (follow_an_unfinished_page, "has successors"),
        (keep_the_beginning_of_a_sibling, "the beginning of its sibling"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_broken_promise_is_found(
    damage: Callable[[KVCache, PagedSequence], None], message: str
) -> None:
    cache, sequence = make_busy_cache()
    cache.check_invariants()

    damage(cache, sequence)

    with pytest.raises(CacheInvariantError, match=message):
        cache.check_invariants()
