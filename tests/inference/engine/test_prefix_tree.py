"""The tree: what follows what, what is pinned, and what is forgotten first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from inference.engine.cache_keys import extend_chain
from inference.engine.page_pool import PagePool
from inference.engine.prefix_tree import PageNode, PrefixTree, count_shared
from tests.inference.engine.hashing_model import make_pool

ROOT = b"\0" * 32


def plant(tree: PrefixTree, pool: PagePool, *path: Sequence[int]) -> PageNode:
    """Add the missing nodes of a path, let go of all of it, and return its end."""
    nodes: list[PageNode] = []
    for keys in path:
        parent = nodes[-1] if nodes else tree.root
        node = tree.child(parent, keys)
        if node is None:
            page = pool.allocate()
            assert page is not None
            node = tree.insert(parent, keys, page)
        else:
            tree.pin(node)
        nodes.append(node)
    tree.unpin(nodes)
    return nodes[-1]


def forget_all(tree: PrefixTree) -> list[tuple[int, ...]]:
    """Forget everything, and return the keys in the order of forgetting."""
    order = []
    while tree.idle_count:
        leaf = tree.oldest_idle_leaf()
        order.append(leaf.keys)
        tree.remove(leaf)
    return order


@pytest.fixture
def pool() -> PagePool:
    return make_pool(16)


@pytest.fixture
def tree(pool: PagePool) -> PrefixTree:
    return PrefixTree(pool, ROOT)


A, B, C, D = (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3), (1, 1, 9, 9)


def test_a_page_is_found_behind_its_own_prefix_only(tree: PrefixTree, pool: PagePool) -> None:
    end = plant(tree, pool, A, B)

    first = tree.child(tree.root, list(A))
    assert first is not None
    assert tree.child(first, B) is end
    assert tree.child(tree.root, B) is None


def test_a_chain_spells_the_whole_path(tree: PrefixTree, pool: PagePool) -> None:
    end = plant(tree, pool, A, B)

    assert end.chain == extend_chain(extend_chain(ROOT, A), B)


def test_the_closest_child_shares_most_first_keys(tree: PrefixTree, pool: PagePool) -> None:
    plant(tree, pool, A)
    close = plant(tree, pool, D)

    assert tree.closest_child(tree.root, (1, 1, 9)) == (close, 3)
    assert tree.closest_child(tree.root, (7,)) == (None, 0)


def test_the_longest_unused_is_forgotten_first_and_leaves_before_what_they_follow(
    tree: PrefixTree, pool: PagePool
) -> None:
    plant(tree, pool, A, B)
    plant(tree, pool, C)
    plant(tree, pool, D)
    plant(tree, pool, C)

    assert forget_all(tree) == [B, A, D, C]
    assert pool.free_count == 16


def test_an_old_conversation_is_forgotten_whole_before_a_newer_one_is_touched(
    tree: PrefixTree, pool: PagePool
) -> None:
    plant(tree, pool, A, B, C)
    plant(tree, pool, D, B, C)

    assert forget_all(tree) == [C, B, A, C, B, D]


def test_a_prefix_that_others_use_outlives_its_old_branches(
    tree: PrefixTree, pool: PagePool
) -> None:
    plant(tree, pool, A, B)
    plant(tree, pool, A, C)
    plant(tree, pool, D)
    plant(tree, pool, A)

    assert forget_all(tree) == [B, C, D, A]


def test_a_pinned_page_cannot_be_forgotten(tree: PrefixTree, pool: PagePool) -> None:
    node = plant(tree, pool, A)
    other = plant(tree, pool, B)
    tree.pin(node)

    assert tree.oldest_idle_leaf() is other
    assert tree.idle_count == 1
    with pytest.raises(ValueError, match="only an idle leaf"):
        tree.remove(node)


def test_a_page_pinned_twice_is_idle_after_the_second_unpin(
    tree: PrefixTree, pool: PagePool
) -> None:
    node = plant(tree, pool, A)
    tree.pin(node)
    tree.pin(node)

    tree.unpin([node])
    assert tree.idle_count == 0

    tree.unpin([node])
    assert tree.idle_count == 1


def test_a_page_with_successors_cannot_be_forgotten(tree: PrefixTree, pool: PagePool) -> None:
    plant(tree, pool, A, B)
    first = tree.child(tree.root, A)
    assert first is not None

    with pytest.raises(ValueError, match="only an idle leaf"):
        tree.remove(first)


def test_a_page_is_forgotten_once(tree: PrefixTree, pool: PagePool) -> None:
    node = plant(tree, pool, A)
    tree.remove(node)

    with pytest.raises(ValueError, match="only an idle leaf"):
        tree.remove(node)


def test_nothing_idle_has_no_oldest(tree: PrefixTree) -> None:
    with pytest.raises(IndexError):
        tree.oldest_idle_leaf()


def test_a_longer_page_takes_the_place_of_its_beginnings(tree: PrefixTree, pool: PagePool) -> None:
    plant(tree, pool, (1, 1))
    plant(tree, pool, (1, 5))
    node = plant(tree, pool, A)

    assert list(tree.root.children.values())[1:] == [node]
    assert [child.keys for child in tree.nodes()] == [A, (1, 5)]
    assert pool.free_count == 14


@pytest.mark.parametrize("keys", [(1,), (1, 1, 1)])
def test_a_beginning_of_a_known_page_adds_nothing(
    tree: PrefixTree, pool: PagePool, keys: tuple[int, ...]
) -> None:
    plant(tree, pool, A)
    page = pool.allocate()
    assert page is not None

    assert tree.insert_unfinished(tree.root, keys, page) is None
    assert pool.references(page) == 1


def test_an_unfinished_page_is_added_beside_what_it_does_not_begin(
    tree: PrefixTree, pool: PagePool
) -> None:
    plant(tree, pool, A)
    page = pool.allocate()
    assert page is not None

    node = tree.insert_unfinished(tree.root, (1, 1, 2), page)

    assert node is not None
    assert tree.closest_child(tree.root, (1, 1, 2, 7)) == (node, 3)


def test_a_run_ends_in_its_leaf_and_stops_at_what_is_pinned_or_unwanted(
    tree: PrefixTree, pool: PagePool
) -> None:
    leaf = plant(tree, pool, A, B, C, D)
    path = tree.path(leaf)

    assert tree.idle_run(leaf, most=9, is_wanted=lambda _: True) == path
    assert tree.idle_run(leaf, most=2, is_wanted=lambda _: True) == path[2:]
    assert tree.idle_run(leaf, most=9, is_wanted=lambda n: n is not path[1]) == path[2:]
    tree.pin(path[0])
    assert tree.idle_run(leaf, most=9, is_wanted=lambda _: True) == path[1:]


def test_the_order_of_use_stays_small_however_long_it_goes_on(
    tree: PrefixTree, pool: PagePool
) -> None:
    for _ in range(100):
        plant(tree, pool, A)
        plant(tree, pool, B)

    assert len(tree._oldest) <= 2 * 16 + 1
    assert forget_all(tree) == [A, B]


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [((), (1,), 0), ((1, 2), (1, 2, 3), 2), ((1, 2), (1, 3), 1), ((2,), (1,), 0)],
)
def test_shared_first_keys_are_counted(
    left: tuple[int, ...], right: tuple[int, ...], count: int
) -> None:
    assert count_shared(left, right) == count
