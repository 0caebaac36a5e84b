"""An answer that only repeats itself ends, whatever runs the model, and wherever it was taken over.

A reward for what the answer contains already makes the small real model say one letter for ever.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from inference.backends.base import Cancellation, LoadedModel
from inference.loop_guard import WORDS
from inference.requests import Event, Finished, FinishReason, SamplingOptions
from inference.testing import make_request, read_text, read_token_ids, user_message

LETTER = "a"
MAX_TOKENS = 60
REWARD = 1000.0  # beyond all logits


@pytest.fixture(params=["transformers", "engine"])
def looping_model(request: pytest.FixtureRequest) -> LoadedModel:
    """Return each kind of real model."""
    name = {"transformers": "tiny_model", "engine": "engine_model"}[request.param]
    model: LoadedModel = request.getfixturevalue(name)
    return model


@pytest.fixture(scope="module")
def letter_id(tiny_folder: Path) -> int:
    """Return the token that is said for ever."""
    (token_id,) = Tokenizer.from_file(str(tiny_folder / "tokenizer.json")).encode(LETTER).ids
    return int(token_id)


def go_on(
    model: LoadedModel, *prefix: int, is_guarded: bool = True
) -> tuple[list[Event], Finished]:
    """Let the model go on behind a prefix, which it can only repeat."""
    options = SamplingOptions(
        max_tokens=MAX_TOKENS,
        temperature=0.0,
        presence_penalty=-REWARD,
        is_loop_guarded=is_guarded,
    )
    events: list[Event] = []
    request = make_request(user_message("Hello"), options=options, prefix=prefix)
    return events, model.answer(request, emit=events.append, cancellation=Cancellation())


@pytest.mark.parametrize("length", [1, WORDS.tokens // 2, WORDS.tokens - 1, WORDS.tokens])
def test_loop_ends_at_the_same_token_wherever_it_was_taken_over(
    looping_model: LoadedModel, letter_id: int, length: int
) -> None:
    events, finished = go_on(looping_model, *[letter_id] * length)

    assert finished.finish_reason is FinishReason.REPETITION
    assert finished.usage.completion_tokens == WORDS.tokens
    assert read_token_ids(events) == (letter_id,) * (WORDS.tokens - length)
    assert read_text(events) == LETTER * (WORDS.tokens - length)


def test_loop_goes_on_to_the_limit_where_nobody_guards(
    looping_model: LoadedModel, letter_id: int
) -> None:
    events, finished = go_on(looping_model, letter_id, is_guarded=False)

    assert finished.finish_reason is FinishReason.LENGTH
    assert read_text(events) == LETTER * (MAX_TOKENS - 1)


def test_next_answer_is_not_held_to_the_loop_of_the_one_before(
    looping_model: LoadedModel, letter_id: int
) -> None:
    go_on(looping_model, letter_id)

    events, finished = go_on(looping_model, letter_id)

    assert finished.finish_reason is FinishReason.REPETITION
    assert len(read_token_ids(events)) == WORDS.tokens - 1
