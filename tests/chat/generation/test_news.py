"""The news: which group hears what, in the shape that the socket expects."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chat.generation import news
from chat.generation.relay import EVERYONE, relay, reply_group, user_group
from tests.chat.factories import RUNNING, a_reply, a_turn

if TYPE_CHECKING:
    from django.contrib.auth.models import User

REPLY = uuid.UUID(int=7)
Sent = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Collect instead of sending."""
    sent: Sent = []
    monkeypatch.setattr(relay, "send", lambda group, event: sent.append((group, event)))
    return sent


def test_text_goes_to_the_replys_followers(sent: Sent) -> None:
    news.text_added(REPLY, offset=3, text="one")

    event = {"type": "reply.text", "reply": str(REPLY), "offset": 3, "content": "one"}
    assert sent == [(reply_group(REPLY), event)]


def test_a_stage_goes_to_the_replys_followers(sent: Sent) -> None:
    news.stage_changed(REPLY, {"stage": "vision"})

    event = {"type": "reply.status", "reply": str(REPLY), "status": {"stage": "vision"}}
    assert sent == [(reply_group(REPLY), event)]


def test_an_end_goes_to_the_followers_and_to_the_owners_tabs(alice: User, sent: Sent) -> None:
    reply = a_reply(alice, state="done", finish_reason="stop")

    news.reply_ended(reply.pk)

    (first, ended), (second, card) = sent
    assert (first, ended["type"]) == (reply_group(reply.pk), "reply.ended")
    assert second == user_group(alice.pk)
    assert json.loads(card["frame"])["is_generating"] is False
    assert json.loads(card["frame"])["is_unread"] is True


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"state": "stopped", "finish_reason": "stopped"}, id="stopped"),
        pytest.param({}, id="to be continued by another worker"),
    ],
)
def test_what_somebody_stopped_or_goes_on_is_not_new_to_anybody(
    alice: User, sent: Sent, state: dict[str, Any]
) -> None:
    reply = a_reply(alice, **state)

    news.reply_ended(reply.pk)

    assert json.loads(sent[1][1]["frame"])["is_unread"] is False


@pytest.mark.django_db
def test_the_end_of_a_deleted_reply_goes_to_its_followers(sent: Sent) -> None:
    news.reply_ended(REPLY)

    assert [group for group, _ in sent] == [reply_group(REPLY)]


def test_each_waiting_reply_hears_its_place(alice: User, bob: User, sent: Sent) -> None:
    second, first = a_reply(alice, waiting_s=1), a_reply(bob, waiting_s=9)
    a_reply(alice, state="done", finish_reason="stop")

    news.queue_moved(slots=1)

    places = {group: event["status"] for group, event in sent}
    assert places == {
        reply_group(first.pk): {"stage": "queued", "position": 1},
        reply_group(second.pk): {"stage": "queued", "position": 2},
    }


def test_a_very_long_queue_tells_only_its_head(alice: User, sent: Sent) -> None:
    for _ in range(3):
        a_reply(alice)

    news.queue_moved(slots=1, limit=2)

    assert len(sent) == 2


def test_a_card_goes_to_its_owners_tabs_alone(alice: User, bob: User, sent: Sent) -> None:
    turn = a_turn(alice, "What is this?")

    news.conversation_changed(turn.conversation, message=turn.message.pk, reply=turn.reply.pk)

    ((group, event),) = sent
    assert group == user_group(alice.pk)
    assert event["type"] == "conversation.card"
    assert json.loads(event["frame"]) == {
        "type": "conversation",
        "conversation": str(turn.conversation.pk),
        "title": "What is this?",
        "active_at": turn.conversation.active_at.isoformat(),
        "is_generating": True,
        "is_unread": False,
        "is_pinned": False,
        "is_archived": False,
        "is_deleted": False,
        "options": {},
        "message": str(turn.message.pk),
        "reply": str(turn.reply.pk),
    }


@pytest.mark.parametrize(
    ("state", "is_generating"),
    [
        pytest.param({}, True, id="waiting"),
        pytest.param(RUNNING, True, id="running"),
        pytest.param({"state": "stopped", "finish_reason": "stopped"}, False, id="stopped"),
    ],
)
def test_a_card_says_whether_an_answer_is_being_written(
    alice: User, state: dict[str, Any], is_generating: bool
) -> None:
    reply = a_reply(alice, **state)

    card = news.conversation_card(reply.message.conversation)

    assert card.is_generating is is_generating


def test_a_deleted_conversation_is_told_to_its_owners_tabs(sent: Sent) -> None:
    news.conversation_deleted(owner_id=7, conversation_id=REPLY)

    ((group, event),) = sent
    card = json.loads(event["frame"])
    assert (group, card["is_deleted"], card["conversation"]) == (user_group(7), True, str(REPLY))


def test_a_deleted_message_is_told_with_the_card(alice: User, sent: Sent) -> None:
    turn = a_turn(alice)
    turn.conversation.refresh_from_db()

    news.message_deleted(turn.conversation, REPLY)

    ((group, event),) = sent
    card = json.loads(event["frame"])
    assert group == user_group(alice.pk)
    assert (card["deleted_message"], card["message"]) == (str(REPLY), str(turn.message.pk))


def test_another_model_is_told_to_everyone(sent: Sent) -> None:
    news.model_changed()

    assert sent == [(EVERYONE, {"type": "model.changed"})]
