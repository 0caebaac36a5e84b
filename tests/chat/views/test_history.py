"""A long conversation: its end in the page, what stands before it on demand."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from chat.services import conversations
from chat.services.message_tree import MessageTree
from chat.views.transcript import STRETCH_MESSAGES, stretch
from tests.chat.factories import a_picture, a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoAssertNumQueries

    from chat.models import Conversation, Message

pytestmark = pytest.mark.django_db
TURNS = STRETCH_MESSAGES  # twice as many messages as fit, and none over


@pytest.fixture
def long(alice: User) -> Conversation:
    """Keep a long conversation, with a picture in its first question and one in its last."""
    turn = a_turn(alice, "Question 0", image_ids=[a_picture(alice).pk])
    end_reply(turn.reply, "Answer 0")
    for number in range(1, TURNS):
        pictures = [a_picture(alice, color=(1, 2, 3)).pk] if number == TURNS - 1 else []
        turn = a_turn(
            alice,
            f"Question {number}",
            conversation_id=turn.conversation.pk,
            image_ids=pictures,
        )
        end_reply(turn.reply, f"Answer {number}")
    return turn.conversation


def branch(conversation: Conversation) -> list[Message]:
    conversation.refresh_from_db()
    return conversations.shown_branch(conversation)


def get(user: User | None, name: str, *ids: uuid.UUID, **query: str) -> Any:
    client = Client()
    if user:
        client.force_login(user)
    return client.get(reverse(f"chat:{name}", args=ids), query)


def shown(response: Any) -> list[str]:
    """Give the ids of the messages in an answer."""
    return re.findall(r'data-message="([^"]+)"', response.content.decode())


def test_the_page_shows_the_end_and_names_what_stands_before(
    alice: User, long: Conversation
) -> None:
    messages = branch(long)
    page = get(alice, "conversation", long.pk)
    first = messages[-STRETCH_MESSAGES]
    picture = messages[0].images_in_order()[0]

    assert shown(page) == [str(message.pk) for message in messages[-STRETCH_MESSAGES:]]
    assert f'data-earlier="{first.pk}">' in page.content.decode()
    assert f'data-earlier-pictures="{picture.pk}"' in page.content.decode()


def test_a_long_conversation_costs_no_more_queries_than_a_short_one(
    alice: User, long: Conversation, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = Client()
    client.force_login(alice)
    # session, person, conversation, tree, messages, pictures, those before, list: count and cards
    with django_assert_max_num_queries(10):
        client.get(reverse("chat:conversation", args=[long.pk]))


def test_what_stands_before_comes_piece_by_piece_until_nothing_does(
    alice: User, long: Conversation
) -> None:
    messages = branch(long)
    piece = get(alice, "earlier", long.pk, messages[-STRETCH_MESSAGES].pk)
    start = get(alice, "earlier", long.pk, messages[3].pk)

    assert shown(piece) == [str(message.pk) for message in messages[12:24]]
    assert f'data-earlier="{messages[12].pk}"' in piece.content.decode()
    assert shown(start) == [str(message.pk) for message in messages[:3]]
    assert 'data-earlier=""' in start.content.decode()


def test_a_short_conversation_has_nothing_before(alice: User) -> None:
    turn = a_turn(alice)
    page = get(alice, "conversation", turn.conversation.pk).content.decode()

    assert 'data-earlier="" hidden>' in page
    assert 'data-earlier-pictures=""' in page


def test_a_hit_far_up_is_in_the_page_with_all_that_follows(alice: User, long: Conversation) -> None:
    messages = branch(long)
    page = get(alice, "conversation", long.pk, at=str(messages[5].pk))

    assert shown(page) == [str(message.pk) for message in messages[3:]]


def test_what_is_deleted_while_the_page_is_made_is_left_out(
    long: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = branch(long)
    tree = MessageTree.of(long)
    messages[-2].delete()  # and its answer with it
    monkeypatch.setattr(MessageTree, "of", lambda _: tree)

    left = stretch(long, leaf_id=messages[-1].pk, length=4)

    assert [card.id for card in left.messages] == [str(each.pk) for each in messages[-4:-2]]


def test_stranger_and_nobody_get_nothing(alice: User, bob: User, long: Conversation) -> None:
    message = branch(long)[-1].pk
    other = a_turn(alice)

    assert get(bob, "earlier", long.pk, message).status_code == 404
    assert get(alice, "earlier", other.conversation.pk, message).status_code == 404
    assert get(alice, "earlier", long.pk, uuid.uuid4()).status_code == 404
    assert get(None, "earlier", long.pk, message).status_code == 302
