"""The named queries: what each keeps, and in which order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from chat.models import Conversation, Message, Reply
from tests.chat.factories import a_picture, a_reply, a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoAssertNumQueries


def test_the_list_shows_pinned_ones_then_the_latest_activity(alice: User) -> None:
    now = timezone.now()
    names = {"old": 3, "newest": 1, "pinned": 9}
    for title, age_s in names.items():
        Conversation.objects.create(
            owner=alice, title=title, active_at=now - timedelta(seconds=age_s)
        )
    Conversation.objects.filter(title="pinned").update(pinned_at=now)

    titles = list(Conversation.objects.newest_first().values_list("title", flat=True))

    assert titles == ["pinned", "newest", "old"]


@pytest.mark.parametrize(
    ("state", "is_generating"),
    [
        pytest.param({}, True, id="queued"),
        pytest.param({"state": "done", "finish_reason": "stop"}, False, id="done"),
        pytest.param({"state": "failed", "error_code": "out_of_memory"}, False, id="failed"),
    ],
)
def test_a_conversation_is_generating_until_its_reply_ends(
    alice: User, state: dict[str, Any], is_generating: bool
) -> None:
    a_reply(alice, **state)

    found = Conversation.objects.with_is_generating().get()

    assert found.is_generating is is_generating


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        pytest.param("", True, id="nothing asked"),
        pytest.param("lighthouse", True, id="title"),
        pytest.param("TOWER", True, id="question, case aside"),
        pytest.param("striped", True, id="answer"),
        pytest.param("submarine", False, id="not there"),
        pytest.param("%", False, id="a wildcard is a letter"),
    ],
)
def test_search_looks_at_title_question_and_answer(alice: User, query: str, is_found: bool) -> None:
    turn = a_turn(alice, "How tall is the tower?")
    end_reply(turn.reply, "It is striped.")
    Conversation.objects.update(title="Lighthouse")

    found = list(Conversation.objects.matching(query))

    assert found == ([turn.conversation] if is_found else [])


def test_search_gives_a_conversation_once(alice: User) -> None:
    turn = a_turn(alice, "red red")
    end_reply(turn.reply, "red")
    a_turn(alice, "red again", conversation_id=turn.conversation.pk)

    assert Conversation.objects.matching("red").count() == 1


def test_a_transcript_costs_two_queries_at_any_length(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    turn = a_turn(alice, image_ids=[a_picture(alice).pk])
    end_reply(turn.reply, "A square.")
    a_turn(alice, conversation_id=turn.conversation.pk, image_ids=[turn.message.images.get().pk])

    with django_assert_num_queries(2):
        shown = list(turn.conversation.messages.all().for_transcript())
        pictures = [len(message.images_in_order()) for message in shown if message.text]
        texts = [message.reply.text for message in shown if message.role == "assistant"]

    assert (pictures, texts) == ([1, 1], ["A square.", ""])


def test_open_replies_are_those_without_an_end(alice: User) -> None:
    waiting = a_reply(alice)
    running = a_reply(alice, state="running")
    a_reply(alice, state="done", finish_reason="stop")

    assert set(Reply.objects.open()) == {waiting, running}
    assert waiting.is_open
    assert running.is_open


def test_names_never_show_private_text(alice: User) -> None:
    turn = a_turn(alice, "a secret question")
    end_reply(turn.reply, "a secret answer")

    shown = f"{turn.message} {turn.reply} {Message.objects.last()} {a_picture(alice)}"

    assert "secret" not in shown
