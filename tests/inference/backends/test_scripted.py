"""The scripted model's own rules: words as tokens, a gate, a checked prefix."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.backends.base import Cancellation, ModelFiles
from inference.backends.scripted import Gate, Script, ScriptedBackend, split_words, word_id
from inference.errors import InferenceError
from inference.loop_guard import WORDS
from inference.requests import Finished, FinishReason, SamplingOptions, Stage
from inference.testing import (
    draw_png,
    image_part,
    make_request,
    read_events,
    read_text,
    scripted_service,
    user_message,
)


@given(st.text())
def test_words_joined_are_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text


def test_answer_names_pictures_by_their_size() -> None:
    picture = image_part(draw_png(120, 45))
    with scripted_service() as service:
        text = read_text(read_events(service.submit(make_request(user_message("?", picture)))))

    assert "120x45" in text


def test_seed_changes_the_answer_only_with_a_temperature() -> None:
    texts = {}
    with scripted_service() as service:
        for temperature in (0.0, 1.0):
            for seed in (0, 1):
                options = SamplingOptions(temperature=temperature, seed=seed)
                generation = service.submit(make_request(options=options))
                texts[temperature, seed] = read_text(read_events(generation))

    assert texts[0.0, 0] == texts[0.0, 1]
    assert texts[1.0, 0] != texts[1.0, 1]


def test_foreign_prefix_is_noticed() -> None:
    model = ScriptedBackend(Script(answer=lambda _: "one two")).load(
        ModelFiles("scripted", None), lambda *_: None
    )

    with pytest.raises(InferenceError, match="prefix"):
        model.answer(
            make_request(prefix=(word_id("other "),)),
            emit=lambda _: None,
            cancellation=Cancellation(),
        )


def test_closed_gate_lets_pass_what_was_allowed() -> None:
    gate = Gate(is_open=False)
    gate.allow(Stage.DECODE, 2)

    gate.pass_step(Stage.DECODE, Cancellation())
    gate.pass_step(Stage.DECODE, Cancellation())

    assert not gate.wait_until_blocked(Stage.DECODE, 0)


def test_cancellation_opens_a_closed_gate() -> None:
    cancellation = Cancellation()
    cancellation.set()

    Gate(is_open=False).pass_step(Stage.DECODE, cancellation)


def test_delay_ends_early_on_cancellation() -> None:
    with scripted_service(Script(token_delay_s=60)) as service:
        generation = service.submit(make_request())

        generation.cancel()

        assert read_events(generation)[-1]


def end_of(script: Script, options: SamplingOptions, *prefix: str) -> tuple[FinishReason, int]:
    request = make_request(options=options, prefix=tuple(map(word_id, prefix)))
    with scripted_service(script) as service:
        ended = read_events(service.submit(request))[-1]
    assert isinstance(ended, Finished)
    return ended.finish_reason, ended.usage.completion_tokens


REPEATING = Script(answer=lambda _: "la " * 200, has_loop_guard=True)


@pytest.mark.parametrize("prefix", [0, 30])
def test_answer_that_repeats_itself_ends_at_the_same_word(prefix: int) -> None:
    end = end_of(REPEATING, SamplingOptions(), *["la "] * prefix)

    assert end == (FinishReason.REPETITION, WORDS.tokens)


@pytest.mark.parametrize(
    ("script", "options"),
    [
        pytest.param(REPEATING, SamplingOptions(is_loop_guarded=False), id="not asked for"),
        pytest.param(
            replace(REPEATING, has_loop_guard=False), SamplingOptions(), id="not in the script"
        ),
    ],
)
def test_answer_that_repeats_itself_goes_on_where_nobody_guards(
    script: Script, options: SamplingOptions
) -> None:
    assert end_of(script, options) == (FinishReason.STOP, 200)
