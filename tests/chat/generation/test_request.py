"""From a claimed reply to a request: the branch, its pictures, the options, what was accepted."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from chat.generation.request import name_pictures, request_for
from chat.models import Reply
from chat.protocol import Pixels, TurnOptions
from chat.services.options import set_options
from inference.requests import ChatMessage, GenerationRequest, PixelBudget
from inference.testing import draw_png
from tests.chat.factories import a_picture, a_reply, a_turn, end_reply, row_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoAssertNumQueries, SettingsWrapper

    from chat.services.turns import Turn


def claimed(reply: Reply) -> Reply:
    """Read the reply as a claim does."""
    return Reply.objects.select_related("message__conversation").get(pk=reply.pk)


def request(reply: Reply, *, is_demo: bool = False) -> GenerationRequest:
    """Build the request of a reply."""
    return request_for(claimed(reply), is_demo=is_demo)


def spoken(messages: tuple[ChatMessage, ...]) -> list[tuple[str, str]]:
    """Give who said what."""
    return [(message.role.value, message.text) for message in messages]


def ask_on(turn: Turn, user: User, text: str, *, answer: str, **ended: str) -> Turn:
    """End a turn's reply, and ask the next question."""
    end_reply(turn.reply, answer, **ended)
    return a_turn(user, text, conversation_id=turn.conversation.pk)


def test_one_question_makes_one_message(alice: User) -> None:
    turn = a_turn(alice, "What is this?")

    assert spoken(request(turn.reply).messages) == [("user", "What is this?")]


def test_the_history_comes_in_order_and_ends_with_the_question(alice: User) -> None:
    first = a_turn(alice, "one")
    second = ask_on(first, alice, "two", answer="1")
    third = ask_on(second, alice, "three", answer="2")

    assert spoken(request(third.reply).messages) == [
        ("user", "one"), ("assistant", "1"), ("user", "two"), ("assistant", "2"),
        ("user", "three"),
    ]  # fmt: skip


def test_a_stopped_answer_without_text_is_left_out(alice: User) -> None:
    first = a_turn(alice, "one")
    second = ask_on(first, alice, "two", answer="", state="stopped", finish_reason="stopped")

    assert spoken(request(second.reply).messages) == [("user", "one"), ("user", "two")]


def test_a_stopped_answer_with_text_is_part_of_the_history(alice: User) -> None:
    first = a_turn(alice, "one")
    second = ask_on(first, alice, "two", answer="hal", state="stopped", finish_reason="stopped")

    assert ("assistant", "hal") in spoken(request(second.reply).messages)


def test_another_branch_is_left_out(alice: User) -> None:
    first = a_turn(alice, "one")
    second = ask_on(first, alice, "old", answer="1")
    end_reply(second.reply, "2")
    sibling = a_turn(alice, "new", conversation_id=first.conversation.pk, parent_id=first.reply.pk)

    assert spoken(request(sibling.reply).messages) == [
        ("user", "one"), ("assistant", "1"), ("user", "new"),
    ]  # fmt: skip


def test_pictures_come_before_the_text_in_their_order(alice: User) -> None:
    red, blue = a_picture(alice), a_picture(alice, color=(0, 0, 255))
    turn = a_turn(alice, "Which?", image_ids=[blue.pk, red.pk])

    (message,) = request(turn.reply).messages

    assert [part.data for part in message.images] == [
        draw_png(64, 64, (0, 0, 255)), draw_png(64, 64, (220, 40, 40)),
    ]  # fmt: skip
    assert message.parts[-1].text == "Which?"  # type: ignore[union-attr]  # the last is text


def test_a_picture_carries_the_sum_of_the_bytes_that_the_model_gets(alice: User) -> None:
    picture = a_picture(alice)
    turn = a_turn(alice, image_ids=[picture.pk])

    ((part,),) = (message.images for message in request(turn.reply).messages)

    assert part.sha256 == hashlib.sha256(part.data).hexdigest()


def test_pictures_of_earlier_turns_stay_in_the_request(alice: User) -> None:
    first = a_turn(alice, "one", image_ids=[a_picture(alice).pk])
    second = ask_on(first, alice, "two", answer="1")

    assert [len(message.images) for message in request(second.reply).messages] == [1, 0, 0]


def test_a_request_costs_two_queries(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = a_turn(alice, "one", image_ids=[a_picture(alice).pk])
    second = ask_on(first, alice, "two", answer="1")
    reply = claimed(second.reply)

    with django_assert_num_queries(2):
        request_for(reply, is_demo=False)


def test_what_was_accepted_goes_along(alice: User) -> None:
    reply = a_reply(alice)
    row_of(reply.pk).update(token_ids=[5, 6], attempt=2)

    built = request(reply)

    assert built.prefix_token_ids == (5, 6)
    assert built.id == f"{reply.pk}-2"


def test_options_come_from_the_settings(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_TEMPERATURE, settings.VL_TOP_P, settings.VL_TOP_K = 0.3, 0.4, 5
    settings.VL_PRESENCE_PENALTY, settings.VL_MAX_TOKENS, settings.VL_PIXELS = 0.6, 70, "fast"
    reply = a_reply(alice)

    built = request(reply)

    options = built.options
    assert (options.temperature, options.top_p, options.top_k) == (0.3, 0.4, 5)
    assert (options.presence_penalty, options.max_tokens) == (0.6, 70)
    assert (built.pixels, options.seed) == (PixelBudget.FAST, reply.options["seed"])


def test_the_demo_model_is_read_greedily(alice: User) -> None:
    options = request(a_reply(alice), is_demo=True).options

    assert (options.temperature, options.presence_penalty) == (0.0, 0.0)


@pytest.mark.parametrize("is_guarded", [True, False], ids=["guarded", "left alone"])
def test_loops_are_guarded_as_the_setting_says(
    alice: User, settings: SettingsWrapper, is_guarded: bool
) -> None:
    settings.VL_LOOP_GUARD = is_guarded

    assert request(a_reply(alice)).options.is_loop_guarded is is_guarded


@pytest.mark.parametrize("is_demo", [False, True])
def test_what_was_asked_for_wins(alice: User, is_demo: bool) -> None:
    asked = TurnOptions(max_tokens=7, temperature=1.5, top_p=0.1, seed=9, pixels=Pixels.FULL)
    turn = a_turn(alice, options=asked)

    built = request(turn.reply, is_demo=is_demo)

    options = built.options
    assert (options.max_tokens, options.temperature, options.top_p, options.seed) == (
        7, 1.5, 0.1, 9,
    )  # fmt: skip
    assert built.pixels == PixelBudget.FULL


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("Compare @1 and @2.", "Compare Picture 1 and Picture 2.", id="two"),
        pytest.param("比较@1和@2。", "比较Picture 1和Picture 2。", id="in Chinese"),
        pytest.param("@3 @0 @01 @1x", "@3 @0 @01 @1x", id="no such picture"),
        pytest.param("me@2.example and @@2", "me@2.example and @@2", id="addresses"),
        pytest.param("(@2)", "(Picture 2)", id="in brackets"),
    ],
)
def test_a_mentioned_picture_has_its_name_of_the_prompt(text: str, named: str) -> None:
    assert name_pictures(text, 2) == named


def test_pictures_are_counted_over_the_branch(alice: User) -> None:
    red, blue = a_picture(alice), a_picture(alice, color=(0, 0, 255))
    first = a_turn(alice, "@1 or @2?", image_ids=[red.pk])
    second = ask_on(first, alice, "@1 or @2?", answer="@1", state="done")
    end_reply(second.reply, "No.")
    third = a_turn(alice, "@1 or @2?", conversation_id=first.conversation.pk, image_ids=[blue.pk])

    said = [text for _, text in spoken(request(third.reply).messages)]

    assert said == ["Picture 1 or @2?", "@1", "Picture 1 or @2?", "No.", "Picture 1 or Picture 2?"]


def test_a_presence_penalty_that_was_asked_for_wins(alice: User) -> None:
    turn = a_turn(alice, options=TurnOptions(presence_penalty=-0.5))

    assert request(turn.reply, is_demo=True).options.presence_penalty == -0.5


def test_instructions_come_first(alice: User) -> None:
    turn = a_turn(alice, "one", conversation_options=TurnOptions(system_prompt=" Be brief.\n"))
    second = ask_on(turn, alice, "two", answer="1")

    assert spoken(request(second.reply).messages) == [
        ("system", "Be brief."), ("user", "one"), ("assistant", "1"), ("user", "two"),
    ]  # fmt: skip


def test_instructions_stay_as_they_were_when_the_question_was_asked(alice: User) -> None:
    turn = a_turn(alice, "one", conversation_options=TurnOptions(system_prompt="Be brief."))

    set_options(turn.conversation, TurnOptions(system_prompt="Be long."))

    assert spoken(request(turn.reply).messages)[0] == ("system", "Be brief.")


@pytest.mark.parametrize("prompt", ["", " \n"], ids=["empty", "blank"])
def test_no_instructions_make_no_message(alice: User, prompt: str) -> None:
    turn = a_turn(alice, "one", options=TurnOptions(system_prompt=prompt))

    assert spoken(request(turn.reply).messages) == [("user", "one")]


def test_two_attempts_ask_for_the_same(alice: User) -> None:
    reply = a_reply(alice)
    first = request(reply)
    row_of(reply.pk).update(attempt=2)

    second = request(reply)

    assert (first.messages, first.options) == (second.messages, second.options)
