"""Options: the turn's go before those of the reply before, of the conversation, of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chat.errors import ChatError, ErrorCode
from chat.models import Reply
from chat.protocol import EditFrame, MessageFrame, RegenerateFrame
from chat.services import options, presets, questions
from chat.turn_options import Pixels, TurnOptions
from tests.chat.factories import a_preset, a_turn, end_reply

if TYPE_CHECKING:
    import uuid

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

    from chat.services.turns import Turn

pytestmark = pytest.mark.django_db

LASTING = TurnOptions(temperature=0.2, seed=5, pixels=Pixels.DETAIL, system_prompt="Be brief.")


def ended_turn(user: User, **question: Any) -> Turn:
    """Ask a question and have it answered."""
    turn = a_turn(user, **question)
    end_reply(turn.reply, "A circle.")
    return turn


def options_of(reply_id: uuid.UUID) -> dict[str, Any]:
    found: dict[str, Any] = Reply.objects.get(pk=reply_id).options
    return found


def test_the_next_turn_takes_what_the_conversation_has(alice: User) -> None:
    first = ended_turn(alice)
    options.set_options(first.conversation, LASTING)

    kept = a_turn(alice, conversation_id=first.conversation.pk).reply.options

    assert (kept["temperature"], kept["seed"], kept["pixels"]) == (0.2, 5, "detail")
    assert kept["system_prompt"] == "Be brief."
    assert kept["asked"] == []


def test_what_a_turn_asks_for_wins(alice: User) -> None:
    first = ended_turn(alice)
    options.set_options(first.conversation, LASTING)
    asked = TurnOptions(temperature=1, system_prompt="")

    kept = a_turn(alice, conversation_id=first.conversation.pk, options=asked).reply.options

    assert (kept["temperature"], kept["system_prompt"], kept["pixels"]) == (1, "", "detail")


def test_options_take_the_place_of_all_those_before(alice: User) -> None:
    conversation = ended_turn(alice, conversation_options=LASTING).conversation

    options.set_options(conversation, TurnOptions(top_p=0.3))

    conversation.refresh_from_db()
    assert conversation.options == {"top_p": 0.3}


def test_no_conversation_gets_more_tokens_than_the_limit(
    alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_MAX_TOKENS = 10

    kept = a_turn(alice, conversation_options=TurnOptions(max_tokens=99)).reply.options

    assert kept["max_tokens"] == 10


def test_an_answer_given_again_follows_the_conversation_but_keeps_what_was_asked_for_it(
    alice: User,
) -> None:
    turn = ended_turn(alice, options=TurnOptions(top_p=0.1), conversation_options=LASTING)
    options.set_options(turn.conversation, TurnOptions(top_p=0.9, pixels=Pixels.FULL, seed=5))

    kept = options_of(questions.regenerate(alice, RegenerateFrame(turn.reply.pk)).reply)

    assert (kept["top_p"], kept["pixels"]) == (0.1, "full")
    assert "temperature" not in kept
    assert kept["seed"] != 5  # another answer is wanted


def test_an_edited_question_follows_the_conversation_with_its_seed(alice: User) -> None:
    turn = ended_turn(alice, options=TurnOptions(top_p=0.1))
    options.set_options(turn.conversation, LASTING)

    kept = options_of(questions.edit(alice, EditFrame(turn.message.pk, "And that?")).reply)

    assert (kept["top_p"], kept["pixels"], kept["seed"]) == (0.1, "detail", 5)


def test_replies_of_before_there_were_such_options_keep_all_of_theirs(alice: User) -> None:
    turn = ended_turn(alice)
    former = {"max_tokens": 9, "seed": 3, "pixels": "fast", "temperature": 0.4}
    Reply.objects.filter(pk=turn.reply.pk).update(options=former)
    options.set_options(turn.conversation, LASTING)

    kept = options_of(questions.regenerate(alice, RegenerateFrame(turn.reply.pk)).reply)

    assert (kept["pixels"], kept["temperature"], kept["max_tokens"]) == ("fast", 0.4, 9)


# What a conversation begins with ------------------------------------------------------------


def test_a_new_conversation_begins_with_the_default_preset(alice: User, bob: User) -> None:
    a_preset(alice, "other", top_p=0.3)
    presets.set_default(alice, a_preset(alice, "mine", top_p=0.2), is_default=True)
    presets.set_default(bob, a_preset(bob, "his", top_p=0.7), is_default=True)

    turn = a_turn(alice)

    turn.conversation.refresh_from_db()
    assert turn.conversation.options == {"top_p": 0.2}
    assert turn.reply.options["top_p"] == 0.2


@pytest.mark.parametrize("wanted", [TurnOptions(), TurnOptions(top_p=0.5)], ids=["none", "others"])
def test_a_new_conversation_keeps_what_the_first_frame_says(
    alice: User, wanted: TurnOptions
) -> None:
    presets.set_default(alice, a_preset(alice, top_p=0.2), is_default=True)

    accepted = questions.ask(alice, MessageFrame("What?", conversation_options=wanted))

    reply = Reply.objects.get(pk=accepted.reply)
    assert reply.message.conversation.options == wanted.chosen()


def test_a_conversation_that_is_there_keeps_its_options(alice: User) -> None:
    turn = ended_turn(alice, conversation_options=LASTING)

    a_turn(alice, conversation_id=turn.conversation.pk, conversation_options=TurnOptions())

    turn.conversation.refresh_from_db()
    assert turn.conversation.options == LASTING.chosen()


# Limits -------------------------------------------------------------------------------------


@pytest.fixture
def too_long(settings: SettingsWrapper) -> TurnOptions:
    settings.VL_SYSTEM_PROMPT_CHARS = 3
    return TurnOptions(system_prompt="four")


def refusal(call: Any, *args: Any, **kwargs: Any) -> ErrorCode:
    with pytest.raises(ChatError) as caught:
        call(*args, **kwargs)
    return caught.value.code


@pytest.mark.parametrize("field", ["options", "conversation_options"])
def test_a_turn_with_too_long_a_prompt_is_refused(
    alice: User, too_long: TurnOptions, field: str
) -> None:
    assert refusal(a_turn, alice, **{field: too_long}) == ErrorCode.SYSTEM_PROMPT_TOO_LONG
    assert not Reply.objects.exists()


def test_an_answer_given_again_with_too_long_a_prompt_is_refused(
    alice: User, too_long: TurnOptions
) -> None:
    frame = RegenerateFrame(ended_turn(alice).reply.pk, too_long)

    assert refusal(questions.regenerate, alice, frame) == ErrorCode.SYSTEM_PROMPT_TOO_LONG


def test_a_conversation_with_too_long_a_prompt_is_refused(
    alice: User, too_long: TurnOptions
) -> None:
    conversation = ended_turn(alice).conversation

    assert refusal(options.set_options, conversation, too_long) == ErrorCode.SYSTEM_PROMPT_TOO_LONG
    options.set_options(conversation, TurnOptions(system_prompt="yes"))
