"""Paths, siblings and ends in a tree of messages, by their ids."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from chat.services.message_tree import MessageTree
from tests.chat.factories import a_turn

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoAssertNumQueries

FIRST, ANSWER, AGAIN, NEXT, LAST, OTHER = (uuid.UUID(int=number) for number in range(6))


@pytest.fixture
def tree() -> MessageTree:
    """Two first questions; the first has two answers, and the older of them goes on."""
    return MessageTree(
        {FIRST: None, ANSWER: FIRST, NEXT: ANSWER, LAST: NEXT, AGAIN: FIRST, OTHER: None}
    )


def test_a_path_leads_from_the_first_question(tree: MessageTree) -> None:
    assert tree.path_to(LAST) == [FIRST, ANSWER, NEXT, LAST]
    assert tree.path_to(AGAIN) == [FIRST, AGAIN]


@pytest.mark.parametrize("leaf", [None, uuid.UUID(int=77)])
def test_nothing_leads_to_what_was_not_there(tree: MessageTree, leaf: uuid.UUID | None) -> None:
    assert tree.path_to(leaf) == []


def test_siblings_hang_on_the_same_message_oldest_first(tree: MessageTree) -> None:
    assert tree.siblings_of(AGAIN) == [ANSWER, AGAIN]
    assert tree.siblings_of(FIRST) == [FIRST, OTHER]
    assert tree.siblings_of(LAST) == [LAST]


def test_all_that_hangs_on_a_message_is_found(tree: MessageTree) -> None:
    assert tree.from_here_on(FIRST) == [FIRST, ANSWER, AGAIN, NEXT, LAST]
    assert tree.from_here_on(OTHER) == [OTHER]


def test_the_newest_end_is_behind_the_newest_children(tree: MessageTree) -> None:
    assert tree.newest_end_behind(FIRST) == AGAIN
    assert tree.newest_end_behind(ANSWER) == LAST
    assert tree.newest_end_behind(LAST) == LAST


@pytest.mark.django_db
def test_it_is_read_by_one_query(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    turn = a_turn(alice, "What is this?")
    with django_assert_num_queries(1):
        read = MessageTree.of(turn.conversation)

    assert read.path_to(turn.reply.pk) == [turn.message.pk, turn.reply.pk]
    assert turn.message.pk in read
    assert uuid.UUID(int=77) not in read
