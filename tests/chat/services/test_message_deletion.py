"""Messages that are deleted: with all that hung on them, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chat import signals
from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Message, Reply
from chat.protocol import EditFrame, RegenerateFrame
from chat.services import conversations, deletion, questions
from tests.chat.factories import a_picture, a_turn, end_reply

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from pytest_django import DjangoCaptureOnCommitCallbacks

    from chat.services.turns import Turn

pytestmark = pytest.mark.django_db


def answered(user: User, question: str, conversation: Conversation | None = None) -> Turn:
    """Ask a question, in a conversation or a new one, and have it answered."""
    turn = a_turn(user, question, conversation_id=conversation and conversation.pk)
    end_reply(turn.reply, f"Answer to {question}")
    return turn


@pytest.fixture
def turns(alice: User) -> list[Turn]:
    """Have a conversation of three turns."""
    first = answered(alice, "One?")
    return [first, *(answered(alice, text, first.conversation) for text in ("Two?", "Three?"))]


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """Collect what is said of deleted messages."""
    heard: list[dict[str, Any]] = []

    def hear(**said: Any) -> None:
        heard.append(said)

    signals.message_deleted.connect(hear)
    yield heard
    signals.message_deleted.disconnect(hear)


def shown_texts(conversation: Conversation) -> list[str]:
    conversation.refresh_from_db()
    branch = conversations.shown_branch(conversation)
    return [message.text or message.reply.text for message in branch]


def message_of(message_id: uuid.UUID) -> Message:
    return Message.objects.select_related("conversation").get(pk=message_id)


def test_a_question_goes_with_everything_after_it(turns: list[Turn]) -> None:
    left = deletion.delete_message(turns[1].message)

    assert left == turns[0].conversation
    assert shown_texts(turns[0].conversation) == ["One?", "Answer to One?"]
    assert Message.objects.count() == 2
    assert Reply.objects.get() == turns[0].reply


def test_an_answer_without_other_versions_goes_with_its_question(turns: list[Turn]) -> None:
    deletion.delete_message(message_of(turns[2].reply.pk))

    assert shown_texts(turns[0].conversation)[-1] == "Answer to Two?"


def test_of_two_answers_the_other_one_stays_and_is_shown(alice: User, turns: list[Turn]) -> None:
    again = questions.regenerate(alice, RegenerateFrame(turns[1].reply.pk)).reply

    deletion.delete_message(message_of(again))

    assert shown_texts(turns[0].conversation) == [
        "One?", "Answer to One?", "Two?", "Answer to Two?", "Three?", "Answer to Three?",
    ]  # fmt: skip


def test_a_version_that_is_not_shown_goes_and_what_is_shown_stays(
    alice: User, turns: list[Turn]
) -> None:
    questions.edit(alice, EditFrame(turns[1].message.pk, "Two, please?"))

    deletion.delete_message(message_of(turns[1].message.pk))

    assert shown_texts(turns[0].conversation)[:3] == ["One?", "Answer to One?", "Two, please?"]
    assert not Message.objects.filter(text__in=["Two?", "Three?"]).exists()


def test_of_two_first_questions_one_goes(alice: User, turns: list[Turn]) -> None:
    questions.edit(alice, EditFrame(turns[0].message.pk, "First, please?"))

    deletion.delete_message(message_of(turns[0].message.pk))

    assert shown_texts(turns[0].conversation)[0] == "First, please?"


@pytest.mark.parametrize("role", ["question", "answer"])
def test_with_its_only_question_the_conversation_can_be_brought_back(
    alice: User, role: str
) -> None:
    turn = answered(alice, "One?")
    message_id = turn.message.pk if role == "question" else turn.reply.pk

    left = deletion.delete_message(message_of(message_id))

    assert left is None
    assert not Conversation.objects.visible_to(alice).exists()
    restored = deletion.restore(alice, turn.conversation.pk)
    assert shown_texts(restored) == ["One?", "Answer to One?"]


def test_pictures_are_left_for_other_messages(alice: User, turns: list[Turn]) -> None:
    picture = a_picture(alice)
    turn = a_turn(
        alice, "And this?", conversation_id=turns[0].conversation.pk, image_ids=[picture.pk]
    )

    deletion.delete_message(turn.message)

    picture.refresh_from_db()
    assert not picture.messages.exists()


def test_it_is_told_what_is_gone_and_what_was_still_written(
    alice: User,
    turns: list[Turn],
    told: list[dict[str, Any]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    conversation = turns[0].conversation
    running = a_turn(alice, "Four?", conversation_id=conversation.pk)

    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete_message(turns[2].message)

    (said,) = told
    assert (said["conversation"], said["message_id"]) == (conversation, turns[2].message.pk)
    assert said["open_reply_ids"] == [running.reply.pk]
    assert set(said["gone_reply_ids"]) == {turns[2].reply.pk, running.reply.pk}


def test_what_has_gone_meanwhile_is_not_found(turns: list[Turn]) -> None:
    message = turns[2].message
    deletion.delete_message(turns[1].message)

    with pytest.raises(ChatError) as caught:
        deletion.delete_message(message)

    assert caught.value.code == ErrorCode.MESSAGE_NOT_FOUND
