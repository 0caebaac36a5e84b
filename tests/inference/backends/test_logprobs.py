"""Log probabilities are the model's own, and the same whatever runs beside, before or instead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from inference.backends.base import Cancellation, LoadedModel, ModelFiles
from inference.backends.transformers import TransformersBackend
from inference.config import Dtype, InferenceConfig, Quantization
from inference.engine.speculation import MOST_DRAFT_TOKENS
from inference.model_source import BUNDLED_DEMO_DIR
from inference.requests import (
    ChatMessage,
    Event,
    PixelBudget,
    SamplingOptions,
    TextDelta,
    TokenLogprobs,
)
from inference.testing import (
    assistant_message,
    draw_png,
    image_part,
    make_request,
    read_text,
    read_token_ids,
    user_message,
)
from tests.inference.engine_models import make_engine_model

if TYPE_CHECKING:
    from inference.backends.engine_loading import LoadedNetworks
    from inference.backends.engine_model import EngineModel

CONFIG = InferenceConfig(
    quantization=Quantization.FP32,
    dtype=Dtype.FP32,
    threads=1,
    context_tokens=1024,
    hub_offline=True,
)
OPTIONS = SamplingOptions(max_tokens=40, seed=5, logprobs=3)
QUESTION = user_message("What is in the picture?", image_part(draw_png(128, 96)))
REPEATING = (
    user_message("How many shapes are there?", image_part(draw_png(96, 128, (30, 60, 200)))),
    assistant_message("One."),
    user_message("What did I ask first?"),
)


@pytest.fixture(scope="module")
def reference() -> LoadedModel:
    """Return the demo model as transformers runs it."""
    return TransformersBackend(CONFIG).load(ModelFiles("demo", BUNDLED_DEMO_DIR), lambda *_: None)


@pytest.fixture(scope="module")
def networks(reference: LoadedModel) -> LoadedNetworks:
    """Return the demo model's networks in the engine's form."""
    from inference.backends.engine_loading import load_networks  # after torchvision is importable

    return load_networks(BUNDLED_DEMO_DIR, config=CONFIG, report=lambda *_: None)


@pytest.fixture
def engine(networks: LoadedNetworks) -> Iterator[EngineModel]:
    """Return the demo model in an engine with empty caches."""
    model = make_engine_model(networks, BUNDLED_DEMO_DIR, CONFIG)
    yield model
    model.close()


def ask(
    model: LoadedModel,
    *messages: ChatMessage,
    options: SamplingOptions = OPTIONS,
    prefix: tuple[int, ...] = (),
) -> list[Event]:
    events: list[Event] = []
    request = make_request(*messages, options=options, prefix=prefix, pixels=PixelBudget.FAST)
    model.answer(request, emit=events.append, cancellation=Cancellation())
    return events


def read_logprobs(events: list[Event]) -> list[TokenLogprobs]:
    return [each for event in events if isinstance(event, TextDelta) for each in event.logprobs]


def assert_close(told: list[TokenLogprobs], expected: list[TokenLogprobs]) -> None:
    assert [each.chosen.token_id for each in told] == [each.chosen.token_id for each in expected]
    for one, other in zip(told, expected, strict=True):
        assert one.chosen.logprob == pytest.approx(other.chosen.logprob, abs=1e-3)
        assert [each.logprob for each in one.top] == pytest.approx(
            [each.logprob for each in other.top], abs=1e-3
        )


@pytest.mark.reference
def test_log_probabilities_are_the_log_softmax_of_the_model(engine: EngineModel) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    load: Any = AutoProcessor.from_pretrained  # untyped in the library
    processor = load(BUNDLED_DEMO_DIR, local_files_only=True)
    model = AutoModelForImageTextToText.from_pretrained(BUNDLED_DEMO_DIR, dtype=torch.float32)
    told = read_logprobs(ask(engine, user_message("Hello!")))
    answer = [each.chosen.token_id for each in told]

    text = [{"role": "user", "content": [{"type": "text", "text": "Hello!"}]}]
    prompt = processor.apply_chat_template(
        text, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )["input_ids"]
    with torch.inference_mode():
        scores = model(input_ids=torch.cat([prompt, torch.tensor([answer])], dim=1)).logits[0]
    expected = torch.log_softmax(scores, -1)[prompt.shape[1] - 1 : -1]

    chosen = expected[torch.arange(len(answer)), answer]
    assert [each.chosen.logprob for each in told] == pytest.approx(chosen.tolist(), abs=1e-3)
    likeliest = torch.tensor([[likely.logprob for likely in each.top] for each in told])
    assert torch.allclose(likeliest, expected.topk(3).values, atol=1e-3)


@pytest.mark.reference
def test_log_probabilities_beside_a_picture_are_those_of_transformers(
    engine: EngineModel, reference: LoadedModel
) -> None:
    told = read_logprobs(ask(engine, QUESTION))

    assert told
    assert_close(told, read_logprobs(ask(reference, QUESTION)))


def test_answers_written_together_have_the_same_log_probabilities(engine: EngineModel) -> None:
    conversations = [(QUESTION,), REPEATING, (user_message("Hello!"),)]
    alone = [read_logprobs(ask(engine, *messages)) for messages in conversations]

    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda messages: ask(engine, *messages), conversations))

    for told, expected in zip(together, alone, strict=True):
        assert_close(read_logprobs(told), expected)


def test_drafts_change_no_log_probability(networks: LoadedNetworks) -> None:
    greedy = replace(OPTIONS, temperature=0.0, presence_penalty=0.0)
    told: list[list[TokenLogprobs]] = []
    for draft_tokens in (0, MOST_DRAFT_TOKENS):
        model = make_engine_model(networks, BUNDLED_DEMO_DIR, CONFIG, draft_tokens=draft_tokens)
        told.append(read_logprobs(ask(model, *REPEATING, options=greedy)))
        model.close()

    assert model.stats().kept_tokens
    assert_close(told[1], told[0])


def test_answer_that_is_taken_over_goes_on_with_the_same_log_probabilities(
    engine: EngineModel,
) -> None:
    events = ask(engine, QUESTION)
    token_ids, whole = read_token_ids(events), read_logprobs(events)
    cut = len(token_ids) // 2

    rest = ask(engine, QUESTION, prefix=token_ids[:cut])

    assert_close(read_logprobs(rest), whole[cut:])


def test_every_token_comes_with_its_bytes_and_no_more_likely_ones_than_asked_for(
    engine: EngineModel,
) -> None:
    events = ask(engine, QUESTION, options=replace(OPTIONS, logprobs=0))

    told = read_logprobs(events)
    assert b"".join(each.chosen.data for each in told).decode() == read_text(events)
    assert [each.chosen.token_id for each in told] == list(read_token_ids(events))
    assert {each.top for each in told} == {()}


def test_nobody_gets_log_probabilities_unasked(engine: EngineModel) -> None:
    assert not read_logprobs(ask(engine, QUESTION, options=replace(OPTIONS, logprobs=None)))
