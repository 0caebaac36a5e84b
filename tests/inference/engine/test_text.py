"""Both networks together give the logits of transformers, however the rows are cut into passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from inference.config import Quantization
from inference.engine.kernels.base import Kernels
from inference.engine.text import FeatureSpan, SequenceRows
from inference.engine.vision import PictureFeatures
from tests.inference.engine.conftest import Twins
from tests.inference.engine.twins import IMAGE, Engine, Prompt, join, reference_logits

TOLERANCE = 1e-3
CHUNK = 7
MANY = 99

PROMPTS = [
    pytest.param((37,), id="text"),
    pytest.param((5, (4, 6), 9), id="one-picture"),
    pytest.param((3, (8, 4), 6, (2, 10), 8), id="two-pictures"),
]


@pytest.fixture
def prompt(tied: Twins) -> Prompt:
    """Return a prompt with a picture in the middle: 25 tokens, the picture's from 5 to 20."""
    return tied.prompts().draw(4, (6, 10), 5)


@pytest.fixture
def engine(tied: Twins) -> Engine:
    """Return the engine of a small model."""
    return tied.engine()


def error(logits: torch.Tensor, expected: torch.Tensor) -> float:
    return float((logits - expected).abs().max())


def expected_logits(twins: Twins, prompt: Prompt) -> torch.Tensor:
    return reference_logits(twins.reference, twins.shape, prompt)


def only_span(rows: SequenceRows) -> FeatureSpan:
    (span,) = rows.features
    return span


@pytest.mark.reference
@pytest.mark.parametrize("chunk", [None, CHUNK], ids=["whole", "chunks-of-seven"])
@pytest.mark.parametrize("parts", PROMPTS)
def test_prompt_has_the_logits_of_transformers(
    twins: Twins, kernels: Kernels, parts: tuple[int | tuple[int, int], ...], chunk: int | None
) -> None:
    prompt = twins.prompts().draw(*parts)
    expected = expected_logits(twins, prompt)

    logits = twins.engine(kernels=kernels).logits(prompt, chunk)

    assert expected.std() > 0.5
    assert error(logits, expected) <= TOLERANCE


@pytest.mark.reference
def test_second_turn_continues_the_first(twins: Twins, kernels: Kernels) -> None:
    prompts = twins.prompts()
    turns = [prompts.draw(6, (4, 8), 11), prompts.draw(5, (6, 4), 9)]
    expected = expected_logits(twins, join(*turns))
    engine = twins.engine(kernels=kernels)
    conversation = engine.begin(turns[0])
    found = [engine.all_logits(engine.run(rows)) for rows in conversation.chunks(CHUNK)]

    conversation.append(turns[1])
    found += [engine.all_logits(engine.run(rows)) for rows in conversation.chunks(CHUNK)]

    assert error(torch.cat(found), expected) <= TOLERANCE


@pytest.mark.reference
def test_tokens_decoded_one_at_a_time_have_the_logits_of_transformers(
    twins: Twins, kernels: Kernels
) -> None:
    prompts = twins.prompts()
    question, answer = prompts.draw(6, (4, 8), 5), prompts.text(20)
    expected = expected_logits(twins, join(question, answer))[len(question.token_ids) - 1 :]
    engine = twins.engine(kernels=kernels)
    conversation = engine.begin(question)
    found = [engine.run(conversation.rows(MANY)).logits()]

    for token in answer.token_ids:
        conversation.append(Prompt([token]))
        found.append(engine.run(conversation.rows(1)).logits())

    assert error(torch.cat(found), expected) <= TOLERANCE


def test_sequences_of_a_pass_do_not_see_each_other(
    tied: Twins, engine: Engine, prompt: Prompt
) -> None:
    other = tied.prompts().draw(21, (2, 4), 3)
    alone = [engine.logits(prompt)[-1], engine.logits(other)[-1]]
    answering, reading = engine.begin(prompt), engine.begin(other)
    engine.run(answering.rows(len(prompt.token_ids) - 1))

    together = engine.run(answering.rows(1), reading.rows(MANY)).logits()

    assert error(together, torch.stack(alone)) <= TOLERANCE


def test_layers_may_be_run_in_pieces(engine: Engine, prompt: Prompt) -> None:
    expected = engine.logits(prompt)
    text_pass = engine.text.start([engine.begin(prompt).rows(MANY)])

    left = [text_pass.step(1), text_pass.step(1), text_pass.step(MANY)]

    assert left == [True, True, False]
    assert text_pass.layers_done == text_pass.layers == 3
    assert error(engine.all_logits(text_pass), expected) <= TOLERANCE


def test_dropped_pass_leaves_no_trace(engine: Engine, prompt: Prompt) -> None:
    expected = engine.logits(prompt)[-1:]
    rows = engine.begin(prompt).rows(MANY)
    engine.text.start([replace(rows, token_ids=rows.token_ids[::-1], features=())]).step(2)

    again = engine.run(rows).logits()

    assert error(again, expected) <= TOLERANCE


def test_features_kept_in_sixteen_bits_are_taken(engine: Engine, prompt: Prompt) -> None:
    expected = engine.logits(prompt)[-1:]
    rows = engine.begin(prompt).rows(MANY)
    span = only_span(rows)
    narrow = PictureFeatures(span.features.tokens.bfloat16(), span.features.deep.bfloat16())

    logits = engine.run(replace(rows, features=[replace(span, features=narrow)])).logits()

    assert logits.dtype is torch.float32
    assert 0 < error(logits, expected) < 0.1


def test_features_without_deep_levels_are_taken(engine: Engine, prompt: Prompt) -> None:
    rows = engine.begin(prompt).rows(MANY)
    span = only_span(rows)
    tokens, deep = span.features.tokens, span.features.deep
    none, zeros = PictureFeatures(tokens, deep[:0]), PictureFeatures(tokens, deep * 0)

    found, expected = (
        engine.run(replace(rows, features=[replace(span, features=features)])).logits()
        for features in (none, zeros)
    )

    assert error(found, expected) <= TOLERANCE


def test_logits_are_those_of_the_asked_rows(engine: Engine, prompt: Prompt) -> None:
    text_pass = engine.run(engine.begin(prompt).rows(MANY))
    everything = engine.all_logits(text_pass)

    assert error(text_pass.logits([3, 0]), everything[[3, 0]]) <= TOLERANCE
    assert error(text_pass.logits(), everything[-1:]) <= TOLERANCE


def test_only_scored_rows_have_logits(engine: Engine, prompt: Prompt) -> None:
    expected = engine.logits(prompt)[-2:]
    rows = engine.begin(prompt).rows(MANY)
    text_pass = engine.run(replace(rows, scored=2))
    last = len(prompt.token_ids) - 1

    assert error(text_pass.logits([last - 1, last]), expected) <= TOLERANCE
    with pytest.raises(ValueError, match="expected scored rows"):
        text_pass.logits([last - 2, last])
    with pytest.raises(ValueError, match="scored rows, got 99"):
        engine.run(replace(rows, scored=MANY))


def test_logits_are_refused_before_the_last_layer(engine: Engine, prompt: Prompt) -> None:
    text_pass = engine.text.start([engine.begin(prompt).rows(MANY)])
    text_pass.step(1)

    with pytest.raises(ValueError, match="2 layers are left"):
        text_pass.logits()


def test_step_behind_the_last_layer_is_refused(engine: Engine, prompt: Prompt) -> None:
    text_pass = engine.run(engine.begin(prompt).rows(MANY))

    with pytest.raises(ValueError, match="3 layers are done"):
        text_pass.step()


def test_pass_without_sequences_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="at least one sequence"):
        engine.text.start([])


@pytest.mark.parametrize("token", [-1, 311], ids=["negative", "beyond"])
def test_token_that_the_vocabulary_lacks_is_refused(engine: Engine, token: int) -> None:
    rows = engine.begin(Prompt([11, 12])).rows(MANY)

    with pytest.raises(ValueError, match="token ids below 311"):
        engine.text.start([replace(rows, token_ids=[11, token])])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_rows_without_their_positions_are_refused(engine: Engine, count: int) -> None:
    rows = engine.begin(Prompt([11, 12])).rows(MANY)

    with pytest.raises(ValueError, match="expected positions"):
        engine.text.start([replace(rows, token_ids=[11] * count)])


def test_pages_that_do_not_cover_the_rows_are_refused(engine: Engine, prompt: Prompt) -> None:
    rows = engine.begin(prompt).rows(MANY)

    with pytest.raises(ValueError, match="of sequence 0"):
        engine.text.start([replace(rows, pages=rows.pages[:1])]).step()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"first_row": 4}, "not 15 image tokens", id="on-text"),
        pytest.param({"first_row": -1}, "not 15 image tokens", id="before-the-rows"),
        pytest.param({"first_row": 15}, "not 15 image tokens", id="behind-the-rows"),
        pytest.param({"first_token": 1}, "has 15 tokens", id="beyond-the-picture"),
        pytest.param({"count": 0}, "has 15 tokens", id="nothing"),
    ],
)
def test_features_off_their_place_are_refused(
    engine: Engine, prompt: Prompt, change: Mapping[str, Any], message: str
) -> None:
    rows = engine.begin(prompt).rows(MANY)
    span = replace(only_span(rows), **change)

    with pytest.raises(ValueError, match=message):
        engine.text.start([replace(rows, features=[span])])


@pytest.mark.reference
def test_image_token_that_the_model_wrote_is_embedded_as_text(tied: Twins, engine: Engine) -> None:
    prompt = Prompt([11, IMAGE, 12])

    assert error(engine.logits(prompt), expected_logits(tied, prompt)) <= TOLERANCE


@pytest.mark.parametrize(
    ("quantization", "bound"),
    [
        pytest.param(Quantization.INT8, 0.03, id="int8"),
        pytest.param(Quantization.BF16, 0.03, id="bf16"),
        pytest.param(Quantization.INT4, 0.4, id="int4"),
    ],
)
def test_narrow_weights_stay_near_the_wide_ones(
    tied: Twins, prompt: Prompt, quantization: Quantization, bound: float
) -> None:
    exact = tied.engine().logits(prompt)

    logits = tied.engine(quantization).logits(prompt)

    relative = (logits - exact).norm() / exact.norm()
    assert 0 < relative < bound
