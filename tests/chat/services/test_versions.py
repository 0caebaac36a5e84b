"""Other versions of questions and answers: they stand beside each other, and one is shown."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Message, Reply
from chat.protocol import EditFrame, RegenerateFrame, TurnOptions
from chat.services import conversations, questions
from chat.services.message_tree import MessageTree
from tests.chat.factories import a_picture, a_turn, end_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from chat.services.turns import Turn


@pytest.fixture
def turn(alice: User) -> Turn:
    """Have an answered question, asked with options of its own."""
    asked = a_turn(alice, "What is this?", options=TurnOptions(temperature=0.3, seed=7))
    end_reply(asked.reply, "A circle.")
    return asked


def shown_texts(conversation: Conversation) -> list[str]:
    conversation.refresh_from_db()
    branch = conversations.shown_branch(conversation)
    return [message.text or message.reply.text for message in branch]


def test_an_answer_is_given_again_beside_the_first(alice: User, turn: Turn) -> None:
    accepted = questions.regenerate(alice, RegenerateFrame(turn.reply.pk))

    again = Reply.objects.get(pk=accepted.reply)
    assert (accepted.message, accepted.id) == (turn.message.pk, None)
    assert again.message.parent_id == turn.message.pk
    assert again.state == "queued"
    assert shown_texts(turn.conversation) == ["What is this?", ""]
    assert Reply.objects.get(pk=turn.reply.pk).text == "A circle."


def test_an_answer_given_again_is_asked_for_as_before_but_with_another_seed(
    alice: User, turn: Turn
) -> None:
    accepted = questions.regenerate(alice, RegenerateFrame(turn.reply.pk, TurnOptions(top_p=0.5)))

    options = Reply.objects.get(pk=accepted.reply).options
    assert (options["temperature"], options["top_p"]) == (0.3, 0.5)
    assert options["seed"] != 7
    assert options["max_tokens"] == turn.reply.options["max_tokens"]


def test_a_question_is_asked_again_beside_the_first_with_its_pictures(
    alice: User, turn: Turn
) -> None:
    first = a_turn(alice, "And this?", image_ids=[a_picture(alice).pk])
    end_reply(first.reply, "A square.")
    client_id = uuid.uuid4()

    accepted = questions.edit(alice, EditFrame(first.message.pk, "And that?", id=client_id))

    edited = Message.objects.get(pk=accepted.message)
    assert accepted.id == client_id
    assert (edited.parent_id, edited.text) == (first.message.parent_id, "And that?")
    assert edited.images_in_order() == first.message.images_in_order()
    assert shown_texts(first.conversation) == ["And that?", ""]


@pytest.mark.parametrize("others", [0, 1], ids=["none", "another"])
def test_a_question_is_asked_again_with_other_pictures(alice: User, others: int) -> None:
    first = a_turn(alice, "And this?", image_ids=[a_picture(alice).pk])
    end_reply(first.reply, "A square.")
    images = [a_picture(alice, color=(0, 0, 200)) for _ in range(others)]

    accepted = questions.edit(
        alice, EditFrame(first.message.pk, "?", tuple(str(image.pk) for image in images))
    )

    assert Message.objects.get(pk=accepted.message).images_in_order() == images


def test_the_same_edit_twice_starts_one_turn(alice: User, turn: Turn) -> None:
    frame = EditFrame(turn.message.pk, "And that?", id=uuid.uuid4())

    assert questions.edit(alice, frame) == questions.edit(alice, frame)
    assert Reply.objects.count() == 2


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(lambda turn: RegenerateFrame(turn.reply.pk), id="regenerate"),
        pytest.param(lambda turn: EditFrame(turn.message.pk, "And that?"), id="edit"),
    ],
)
class TestRefusals:
    """What is refused, and keeps nothing."""

    def refusal(self, user: User, frame: EditFrame | RegenerateFrame) -> ErrorCode:
        before = (Message.objects.count(), Reply.objects.count())
        start = questions.edit if isinstance(frame, EditFrame) else questions.regenerate
        with pytest.raises(ChatError) as caught:
            start(user, frame)  # type: ignore[arg-type]  # the one that takes it
        assert (Message.objects.count(), Reply.objects.count()) == before
        return caught.value.code

    def test_somebody_elses(
        self, bob: User, turn: Turn, start: Callable[[Turn], EditFrame | RegenerateFrame]
    ) -> None:
        assert self.refusal(bob, start(turn)) == ErrorCode.MESSAGE_NOT_FOUND

    def test_while_an_answer_is_written(
        self, alice: User, turn: Turn, start: Callable[[Turn], EditFrame | RegenerateFrame]
    ) -> None:
        a_turn(alice, "Next", conversation_id=turn.conversation.pk)

        assert self.refusal(alice, start(turn)) == ErrorCode.ALREADY_RUNNING


def test_an_answer_cannot_be_edited(alice: User, turn: Turn) -> None:
    with pytest.raises(ChatError) as caught:
        questions.edit(alice, EditFrame(turn.reply.pk, "I know better."))

    assert caught.value.code == ErrorCode.MESSAGE_NOT_FOUND


def test_an_earlier_version_is_shown_to_its_newest_end(alice: User, turn: Turn) -> None:
    second = a_turn(alice, "And now?", conversation_id=turn.conversation.pk)
    end_reply(second.reply, "Now a square.")
    again = questions.regenerate(alice, RegenerateFrame(turn.reply.pk))
    assert shown_texts(turn.conversation) == ["What is this?", ""]

    conversations.show(turn.conversation, turn.reply.message)

    assert shown_texts(turn.conversation) == [
        "What is this?", "A circle.", "And now?", "Now a square.",
    ]  # fmt: skip
    siblings_of = MessageTree.of(turn.conversation).siblings_of
    assert siblings_of(again.reply) == siblings_of(turn.reply.pk) == [turn.reply.pk, again.reply]
    assert siblings_of(second.message.pk) == [second.message.pk]
