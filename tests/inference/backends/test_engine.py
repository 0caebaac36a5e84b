"""The engine answers as transformers does, whatever runs beside it, and gives way where it must."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.backends.base import Cancellation, LoadedModel, ModelFiles, ReportProgress
from inference.backends.engine import EngineBackend
from inference.backends.transformers import TransformersBackend
from inference.config import BackendName, Dtype, InferenceConfig, Quantization
from inference.errors import ErrorCode, InferenceError
from inference.model_source import BUNDLED_DEMO_DIR
from inference.requests import (
    ChatMessage,
    Event,
    Finished,
    PixelBudget,
    SamplingOptions,
)
from inference.service import InferenceService
from inference.testing import (
    assistant_message,
    draw_png,
    image_part,
    make_request,
    read_events,
    read_text,
    read_token_ids,
    user_message,
)
from tests.inference.engine_models import make_engine_model

if TYPE_CHECKING:
    from inference.backends.engine_loading import LoadedNetworks
    from inference.backends.engine_model import EngineModel

GREEDY = SamplingOptions(max_tokens=24, temperature=0.0, presence_penalty=0.0)
CONFIG = InferenceConfig(
    quantization=Quantization.FP32,
    dtype=Dtype.FP32,
    threads=1,
    context_tokens=1024,
    hub_offline=True,
)
RED = image_part(draw_png(128, 96))
BLUE = image_part(draw_png(96, 160, (30, 60, 200)))
FIRST = user_message("What is in the picture?", RED)
CONVERSATIONS = {
    "picture": [FIRST],
    "text": [user_message("Hello!")],
    "two-pictures": [user_message("Compare the pictures.", RED, BLUE)],
    "follow-up": [FIRST, assistant_message("A red square."), user_message("Is there a circle?")],
    "second-picture": [FIRST, assistant_message("Red."), user_message("And here?", BLUE)],
}


class RecordingBackend:
    """Stands in for transformers, and remembers what it was asked for."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.loaded: list[ModelFiles] = []

    def load(self, files: ModelFiles, report: ReportProgress) -> LoadedModel:
        self.loaded.append(files)
        return self.model


@pytest.fixture(scope="module")
def reference() -> LoadedModel:
    """Return the demo model as transformers runs it, in fp32."""
    files = ModelFiles("demo", BUNDLED_DEMO_DIR, demo=True)
    return TransformersBackend(CONFIG).load(files, lambda *_: None)


@pytest.fixture(scope="module")
def demo_networks(reference: LoadedModel) -> LoadedNetworks:
    """Return the demo model's networks in the engine's form, in fp32."""
    from inference.backends.engine_loading import load_networks  # after torchvision is importable

    return load_networks(BUNDLED_DEMO_DIR, config=CONFIG, report=lambda *_: None)


@pytest.fixture
def engine(demo_networks: LoadedNetworks) -> Iterator[EngineModel]:
    """Return the demo model in an engine with empty caches."""
    model = make_engine_model(demo_networks, BUNDLED_DEMO_DIR, CONFIG)
    yield model
    model.close()


@pytest.fixture(scope="module")
def reference_texts(reference: LoadedModel) -> dict[str, str]:
    """Return what transformers answers to each conversation."""
    return {name: ask(reference, *messages)[0] for name, messages in CONVERSATIONS.items()}


def ask(
    model: LoadedModel, *messages: ChatMessage, prefix: tuple[int, ...] = ()
) -> tuple[str, Finished, list[Event]]:
    """Ask greedily; return the text, the end and all events."""
    events: list[Event] = []
    request = make_request(*messages, options=GREEDY, prefix=prefix, pixels=PixelBudget.FAST)
    finished = model.answer(request, emit=events.append, cancellation=Cancellation())
    return read_text(events), finished, events


def test_warm_up_goes_through_both_networks(engine: EngineModel) -> None:
    engine.warm_up()
    engine.warm_up()  # figures are those of before the latest step

    stats = engine.stats()
    assert stats.chosen_tokens >= 1
    assert stats.pictures.pictures == 1


@pytest.mark.reference
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_greedy_answer_equals_that_of_transformers(
    engine: EngineModel, reference_texts: dict[str, str], name: str
) -> None:
    assert ask(engine, *CONVERSATIONS[name])[0] == reference_texts[name]


@pytest.mark.reference
def test_answers_written_together_equal_those_of_transformers(
    engine: EngineModel, reference_texts: dict[str, str]
) -> None:
    with ThreadPoolExecutor(len(CONVERSATIONS)) as pool:
        texts = pool.map(lambda messages: ask(engine, *messages)[0], CONVERSATIONS.values())

    assert dict(zip(CONVERSATIONS, texts, strict=True)) == reference_texts


@pytest.mark.reference
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_prompt_read_in_small_pieces_gives_the_same_answer(
    demo_networks: LoadedNetworks, reference_texts: dict[str, str], name: str
) -> None:
    model = make_engine_model(demo_networks, BUNDLED_DEMO_DIR, CONFIG, rows=3)

    text = ask(model, *CONVERSATIONS[name])[0]
    model.close()

    assert text == reference_texts[name]


@pytest.mark.reference
def test_prefix_reuse_does_not_change_an_answer(
    engine: EngineModel, reference_texts: dict[str, str]
) -> None:
    for _ in range(2):
        texts = {name: ask(engine, *messages)[0] for name, messages in CONVERSATIONS.items()}

    assert texts == reference_texts


def test_answer_can_be_taken_over_behind_every_token(engine: EngineModel) -> None:
    text, _, events = ask(engine, FIRST)
    token_ids = read_token_ids(events)

    for cut in range(1, len(token_ids)):
        _, finished, rest = ask(engine, FIRST, prefix=token_ids[:cut])

        assert read_token_ids(rest) == token_ids[cut:]
        assert text.endswith(read_text(rest))
        assert finished.usage.completion_tokens == len(token_ids)


def test_follow_up_says_how_much_was_known(engine: EngineModel) -> None:
    text, first, _ = ask(engine, FIRST)
    _, second, events = ask(engine, FIRST, assistant_message(text), user_message("And now?"))

    assert first.usage.cached_tokens == 0
    assert first.usage.prompt_tokens <= second.usage.cached_tokens < second.usage.prompt_tokens
    assert second.timings.vision_ms == 0
    assert "vision" not in {getattr(event, "stage", None) for event in events}


def test_repeated_question_computes_one_token_of_the_prompt(engine: EngineModel) -> None:
    ask(engine, FIRST)
    _, again, _ = ask(engine, FIRST)

    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1


def test_conversation_of_an_earlier_process_comes_back_from_disk(
    tmp_path: Path, reference: LoadedModel
) -> None:
    config = replace(CONFIG, kv_spill_dir=tmp_path / "spill", kv_spill_bytes=2**24)
    files = ModelFiles("demo", BUNDLED_DEMO_DIR)
    usages = []

    for _ in range(2):
        model = EngineBackend(config).load(files, lambda *_: None)
        text, finished, events = ask(model, *CONVERSATIONS["follow-up"])
        model.close()
        # Not by its milliseconds, which a quick machine rounds to 0.
        is_seen = "vision" in {getattr(event, "stage", None) for event in events}
        usages.append((text, finished.usage.cached_tokens, is_seen))

    (first_text, *first), (second_text, *second) = usages
    assert second_text == first_text
    assert first == [0, True]
    assert second[0] >= finished.usage.prompt_tokens // 16 * 16 - 16
    assert not second[1]


def test_known_picture_in_a_new_conversation_is_not_looked_at_again(engine: EngineModel) -> None:
    ask(engine, FIRST)
    _, finished, _ = ask(engine, user_message("Hello!"), user_message("And this?", RED))

    assert finished.timings.vision_ms == 0
    assert finished.usage.image_tokens > 0


def test_stats_tell_what_the_engine_did(engine: EngineModel) -> None:
    _, finished, _ = ask(engine, FIRST)
    engine.close()

    stats = engine.stats()

    assert stats.chosen_tokens >= finished.usage.completion_tokens
    assert stats.cache.miss_tokens == finished.usage.prompt_tokens
    assert stats.pictures.pictures == 1


def test_closing_ends_a_running_answer_for_another_worker(engine: EngineModel) -> None:
    def close(event: Event) -> None:
        engine.close()

    with pytest.raises(InferenceError) as caught:
        engine.answer(make_request(FIRST), emit=close, cancellation=Cancellation())

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE
    assert caught.value.retryable


# Choosing the backend -----------------------------------------------------------------------


def test_service_runs_the_demo_model_with_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    config = replace(CONFIG, model=str(BUNDLED_DEMO_DIR), slots=3, quantization=Quantization.INT8)
    service = InferenceService(config)
    with caplog.at_level(logging.INFO, logger="inference"):
        service.start()
        try:
            assert service.wait_ready(60)
            generations = [service.submit(make_request(FIRST, options=GREEDY)) for _ in range(3)]
            ends = [read_events(generation)[-1] for generation in generations]
        finally:
            service.close()

    assert all(isinstance(end, Finished) for end in ends)
    assert "The engine runs weights as int8." in caplog.messages


@pytest.fixture
def foreign_folder(tmp_path: Path) -> Path:
    """Return a folder with a model of another architecture."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "smolvlm"}), encoding="utf-8")
    return tmp_path


def test_model_that_the_engine_lacks_goes_to_transformers_with_the_reason(
    foreign_folder: Path, scripted_model: LoadedModel, caplog: pytest.LogCaptureFixture
) -> None:
    fallback = RecordingBackend(scripted_model)
    files = ModelFiles("other", foreign_folder)

    with caplog.at_level(logging.INFO, logger="inference"):
        model = EngineBackend(CONFIG, fallback).load(files, lambda *_: None)

    assert fallback.loaded == [files]
    assert model.name == scripted_model.name
    assert [m for m in caplog.messages if "transformers runs other" in m and "smolvlm" in m]


def test_engine_that_was_asked_for_by_name_does_not_give_way(
    foreign_folder: Path, scripted_model: LoadedModel
) -> None:
    config = replace(CONFIG, backend=BackendName.ENGINE)
    fallback = RecordingBackend(scripted_model)

    with pytest.raises(InferenceError, match="smolvlm") as caught:
        EngineBackend(config, fallback).load(ModelFiles("other", foreign_folder), lambda *_: None)

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE
    assert fallback.loaded == []


def test_too_small_a_memory_is_named(tiny_folder: Path, tiny_config: InferenceConfig) -> None:
    config = replace(tiny_config, kv_cache_bytes=100)

    with pytest.raises(InferenceError, match="100 bytes are too few"):
        EngineBackend(config).load(ModelFiles("tiny", tiny_folder), lambda *_: None)


def test_a_memory_smaller_than_the_context_is_the_context(
    tiny_folder: Path, tiny_config: InferenceConfig
) -> None:
    config = replace(tiny_config, kv_cache_bytes=2**16)

    model = EngineBackend(config).load(ModelFiles("tiny", tiny_folder), lambda *_: None)
    told = model.context_tokens
    model.close()

    assert 0 < told < config.context_tokens
