"""The demo model says the same with drafts and without, where its answers repeat something."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw

from inference.backends.base import Cancellation
from inference.backends.torchvision_shim import ensure_torchvision
from inference.config import Dtype, InferenceConfig, Quantization
from inference.engine.engine_stats import EngineStats
from inference.engine.speculation import MOST_DRAFT_TOKENS
from inference.model_source import BUNDLED_DEMO_DIR
from inference.requests import Event, PixelBudget, SamplingOptions
from inference.testing import (
    assistant_message,
    image_part,
    make_request,
    read_text,
    user_message,
)
from tests.inference.engine_models import make_engine_model

if TYPE_CHECKING:
    from inference.backends.engine_loading import LoadedNetworks

CONFIG = InferenceConfig(
    dtype=Dtype.FP32,
    threads=1,
    context_tokens=1024,
    hub_offline=True,
)
GREEDY = SamplingOptions(max_tokens=80, temperature=0.0, presence_penalty=0.0)
OPTIONS = {
    "greedy": GREEDY,
    "official": SamplingOptions(max_tokens=80, seed=3),
    "hot": SamplingOptions(max_tokens=80, temperature=1.5, top_p=1.0, top_k=0, seed=4),
    "penalties": SamplingOptions(
        max_tokens=80, temperature=0.0, presence_penalty=0.5, repetition_penalty=1.1
    ),
}


def draw_shapes() -> bytes:
    """Return a picture of two circles and a square."""
    drawing = Image.new("RGB", (128, 128), "white")
    pen = ImageDraw.Draw(drawing)
    pen.ellipse((8, 8, 48, 48), fill="#d62728")
    pen.rectangle((76, 10, 116, 50), fill="#1f77b4")
    pen.ellipse((40, 74, 84, 118), fill="#2ca02c")
    buffer = io.BytesIO()
    drawing.save(buffer, "PNG")
    return buffer.getvalue()


SHAPES = image_part(draw_shapes())
DESCRIBE = user_message("Describe the picture.", SHAPES)
DESCRIPTION = assistant_message(
    "A red circle at the top left, a blue square at the top right and a green circle at the bottom."
)
CONVERSATIONS = {
    "first-question": [
        user_message("How many shapes are there in the picture?", SHAPES),
        assistant_message("Three."),
        user_message("What colour is the square?"),
        assistant_message("Blue."),
        user_message("What did I ask first?"),
    ],
    "boxes": [user_message("Find all objects.", SHAPES)],
    "again": [DESCRIBE, DESCRIPTION, user_message("Describe the picture.")],
}


@pytest.fixture(scope="module", params=[Quantization.FP32, Quantization.INT8])
def demo_networks(request: pytest.FixtureRequest) -> LoadedNetworks:
    """Return the demo model's networks in the engine's form."""
    ensure_torchvision()
    from inference.backends.engine_loading import load_networks  # after torchvision is importable

    config = replace(CONFIG, quantization=request.param)
    return load_networks(BUNDLED_DEMO_DIR, config=config, report=lambda *_: None)


def ask(
    networks: LoadedNetworks, name: str, options: SamplingOptions, *, draft_tokens: int
) -> tuple[str, EngineStats]:
    """Ask an engine with empty caches; return the text, and what the engine did for it."""
    model = make_engine_model(networks, BUNDLED_DEMO_DIR, CONFIG, draft_tokens=draft_tokens)
    events: list[Event] = []
    request = make_request(*CONVERSATIONS[name], options=options, pixels=PixelBudget.FAST)
    model.answer(request, emit=events.append, cancellation=Cancellation())
    model.close()
    return read_text(events), model.stats()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_answer_is_that_without_drafts(
    demo_networks: LoadedNetworks, name: str, options: str
) -> None:
    plain, _ = ask(demo_networks, name, OPTIONS[options], draft_tokens=0)

    drafted, _ = ask(demo_networks, name, OPTIONS[options], draft_tokens=MOST_DRAFT_TOKENS)

    assert plain
    assert drafted == plain


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_tokens_of_an_answer_that_repeats_something_are_drafted(
    demo_networks: LoadedNetworks, name: str
) -> None:
    _, stats = ask(demo_networks, name, GREEDY, draft_tokens=MOST_DRAFT_TOKENS)

    assert 0 < stats.kept_tokens <= stats.drafted_tokens
    assert stats.kept_tokens < stats.chosen_tokens


def test_no_token_is_drafted_where_that_is_switched_off(demo_networks: LoadedNetworks) -> None:
    _, stats = ask(demo_networks, "first-question", GREEDY, draft_tokens=0)

    assert stats.drafted_tokens == 0
