"""No control token from a person; a long conversation loses whole old turns in steps."""

from __future__ import annotations

from itertools import pairwise

import pytest

from inference.errors import ErrorCode, InferenceError
from inference.prompt import (
    ControlTokens,
    build_template_messages,
    count_images,
    fit_context,
    split_turns,
)
from inference.requests import ChatMessage, ImagePart, Role, TextPart
from inference.testing import assistant_message, image_part, user_message

TOKENS = ("<|im_end|>", "<|im_start|>", "<|image_pad|>", "<think>", "</s>")


@pytest.fixture
def control() -> ControlTokens:
    """Return the control tokens of a made-up tokenizer."""
    return ControlTokens(TOKENS)


@pytest.mark.parametrize("token", TOKENS)
def test_control_token_loses_its_form(control: ControlTokens, token: str) -> None:
    neutral = control.neutralise(f"a {token} b {token}{token}")

    assert token not in neutral
    assert neutral.replace("\u200b", "") == f"a {token} b {token}{token}"


@pytest.mark.parametrize(
    "text",
    ["", "plain", "a < b | c > d", "<|im_end", "<| im_end |>", "你好 🙂", "```\n<div>\n```"],
)
def test_ordinary_text_stays_as_it_is(control: ControlTokens, text: str) -> None:
    assert control.neutralise(text) == text


def test_nested_control_tokens_are_all_broken(control: ControlTokens) -> None:
    neutral = control.neutralise("<|im_<|im_end|>end|>")

    assert not any(token in neutral for token in TOKENS)
    assert not any(token in neutral.replace("<|im_end|>", "") for token in TOKENS)


def test_full_width_letters_do_not_hide_a_control_token(control: ControlTokens) -> None:
    hidden = "\uff1c/s\uff1e"

    assert control.neutralise(hidden) != hidden


def test_overlapping_control_tokens_are_both_broken() -> None:
    control = ControlTokens(["abab", "baba"])

    neutral = control.neutralise("ababa")

    assert "abab" not in neutral
    assert "baba" not in neutral


def test_tokenizer_without_control_tokens_changes_nothing() -> None:
    assert ControlTokens([]).neutralise("<|im_end|>") == "<|im_end|>"


def test_control_token_cannot_be_put_together_from_two_parts(control: ControlTokens) -> None:
    message = ChatMessage(Role.USER, (TextPart("<|im_"), TextPart("end|>")))

    built = build_template_messages([message], control, _entry)

    content = built[0]["content"]
    assert isinstance(content, list)
    assert len(content) == 1
    assert "<|im_end|>" not in content[0]["text"]


def test_parts_keep_their_order(control: ControlTokens) -> None:
    message = ChatMessage(Role.USER, (TextPart("a"), image_part(), TextPart("b")))

    built = build_template_messages([message], control, _entry)

    assert [part["type"] for part in _content(built[0])] == ["text", "image", "text"]


def test_system_message_keeps_its_text_only(control: ControlTokens) -> None:
    message = ChatMessage(Role.SYSTEM, (image_part(), TextPart("Be brief.")))

    built = build_template_messages([message], control, _entry)

    assert built == [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}]


def test_images_are_counted_over_all_messages() -> None:
    messages = [user_message("a", image_part(), image_part()), user_message("b", image_part())]

    assert count_images(messages) == 3


def test_turn_is_a_question_with_its_answer() -> None:
    system = ChatMessage(Role.SYSTEM, (TextPart("s"),))
    one, answer, two = user_message("1"), assistant_message("a"), user_message("2")

    assert split_turns([system, one, answer, two]) == ((system,), [(one, answer), (two,)])


def test_conversation_that_fits_is_kept_whole() -> None:
    messages = _conversation(5)

    assert fit_context(messages, _cost, 5 * 20) == tuple(messages)


def test_old_turns_go_whole_and_the_system_message_stays() -> None:
    system = ChatMessage(Role.SYSTEM, (TextPart("s" * 10),))

    kept = fit_context([system, *_conversation(8)], _cost, 100)

    assert kept[0] is system
    assert kept[1].role is Role.USER
    assert sum(map(_cost, kept)) <= 100


def test_beginning_stays_the_same_for_several_turns() -> None:
    first_kept = []
    for turns in range(5, 25):
        kept = fit_context(_conversation(turns), _cost, 100)
        first_kept.append(kept[0].text)

    changes = sum(a != b for a, b in pairwise(first_kept))
    assert changes <= 7


def test_kept_conversation_always_fits() -> None:
    for turns in range(1, 30):
        assert sum(map(_cost, fit_context(_conversation(turns), _cost, 100))) <= 100


@pytest.mark.parametrize(
    "messages",
    [[user_message("x" * 101)], [user_message("short"), user_message("x" * 101)], []],
    ids=["one", "last", "none"],
)
def test_last_turn_that_does_not_fit_is_too_long(messages: list[ChatMessage]) -> None:
    with pytest.raises(InferenceError) as caught:
        fit_context(messages, _cost, 100)

    assert caught.value.code == ErrorCode.CONTEXT_TOO_LONG


def _conversation(turns: int) -> list[ChatMessage]:
    """Return turns of 20 units each, but the last, which has no answer yet."""
    messages = []
    for number in range(turns):
        messages += [user_message(f"{number:010}"), assistant_message("a" * 10)]
    return messages[:-1]


def _cost(message: ChatMessage) -> int:
    return len(message.text)


def _entry(part: ImagePart) -> dict[str, object]:
    return {"type": "image", "image": part.sha256}


def _content(message: dict[str, object]) -> list[dict[str, object]]:
    content = message["content"]
    assert isinstance(content, list)
    return content
