"""From a conversation to the messages that a chat template renders.

Pure: what a model's tokenizer and pictures cost comes in as functions. Two promises: nothing that
a person typed acts as a control token, and a conversation that outgrows the context loses whole
old turns, in steps.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from inference.errors import ErrorCode, InferenceError
from inference.requests import ChatMessage, ImagePart, MessagePart, Role, TextPart

TemplateMessage: TypeAlias = dict[str, object]
Turn: TypeAlias = tuple[ChatMessage, ...]

# Breaks a control token after its first character: invisible to a reader, and no tokenizer joins
# across it.
ZERO_WIDTH_SPACE = "\u200b"
# When turns must go, go down to this share of the budget, so that the following turns keep the
# same beginning (a stable beginning is what prefix reuse needs; dropping one picture a turn would
# change it every time).
KEPT_SHARE = 0.6


class ControlTokens:
    """The control tokens of a tokenizer, and how to take the power out of them."""

    def __init__(self, tokens: Iterable[str]) -> None:
        """Remember all tokens that mean something to the model beyond their letters."""
        known = sorted({token for token in tokens if token.strip()}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def neutralise(self, text: str) -> str:
        """Return `text` with a zero-width space inside every control token, all else untouched.

        Compares after compatibility normalisation, character by character: some tokenizers
        normalise before they look for control tokens, and would find one in full-width letters.
        """
        if self._pattern is None:
            return text
        folded = "".join(map(_fold, text))
        cuts = []
        found = self._pattern.search(folded)
        while found is not None:
            cuts.append(found.start() + 1)
            # One character on, not one match on: tokens may overlap.
            found = self._pattern.search(folded, found.start() + 1)
        return _insert_at(text, cuts)


def build_template_messages(
    messages: Sequence[ChatMessage],
    control_tokens: ControlTokens,
    image_entry: Callable[[ImagePart], Mapping[str, object]],
) -> list[TemplateMessage]:
    """Return the messages in the form that `apply_chat_template` takes.

    Neighbouring texts are joined before they are neutralised, so that a control token cannot be
    put together from two parts. Pictures in a system message are left out: templates allow text
    only there.
    """
    built: list[TemplateMessage] = []
    for message in messages:
        content: list[Mapping[str, object]] = []
        for part in _joined(message):
            if isinstance(part, TextPart):
                content.append({"type": "text", "text": control_tokens.neutralise(part.text)})
            else:
                content.append(image_entry(part))
        built.append({"role": message.role.value, "content": content})
    return built


def count_images(messages: Iterable[ChatMessage]) -> int:
    """Return how many pictures the messages hold."""
    return sum(len(message.images) for message in messages)


def split_turns(messages: Sequence[ChatMessage]) -> tuple[Turn, list[Turn]]:
    """Return the system messages, and the turns: each from a question to before the next one."""
    system: list[ChatMessage] = []
    turns: list[list[ChatMessage]] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            system.append(message)
        elif turns and (message.role is Role.ASSISTANT or turns[-1][-1].role is Role.USER):
            turns[-1].append(message)
        else:
            turns.append([message])
    return tuple(system), [tuple(turn) for turn in turns]


def fit_context(
    messages: Sequence[ChatMessage],
    count_tokens: Callable[[ChatMessage], int],
    budget_tokens: int,
) -> tuple[ChatMessage, ...]:
    """Return the conversation without as many of its oldest turns as the budget demands.

    Replays the conversation turn by turn: whenever it grew over the budget, old turns went until
    it was down to 60 %. So the cut depends on the conversation alone and stays where it is for
    several turns.

    Raises:
        InferenceError: `context_too_long` if system message and last turn alone do not fit.
    """
    system, turns = split_turns(messages)
    budget = budget_tokens - sum(map(count_tokens, system))
    costs = [sum(map(count_tokens, turn)) for turn in turns]
    if not turns or costs[-1] > budget:
        raise InferenceError(
            ErrorCode.CONTEXT_TOO_LONG,
            "This question is too long for the model. Shorten the text, "
            "or use fewer or smaller pictures.",
        )
    first_kept = 0
    for last in range(len(turns)):
        if sum(costs[first_kept : last + 1]) > budget:
            while first_kept < last and sum(costs[first_kept : last + 1]) > budget * KEPT_SHARE:
                first_kept += 1
    kept = [message for turn in turns[first_kept:] for message in turn]
    return (*system, *kept)


def _joined(message: ChatMessage) -> list[MessagePart]:
    parts: list[MessagePart] = []
    for part in message.parts:
        if isinstance(part, ImagePart):
            if message.role is not Role.SYSTEM:
                parts.append(part)
        elif parts and isinstance(last := parts[-1], TextPart):
            parts[-1] = TextPart(last.text + part.text)
        else:
            parts.append(part)
    return parts


def _fold(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) == 1 else character


def _insert_at(text: str, cuts: Sequence[int]) -> str:
    pieces = []
    start = 0
    for cut in cuts:
        pieces.append(text[start:cut])
        start = cut
    pieces.append(text[start:])
    return ZERO_WIDTH_SPACE.join(pieces)
