"""Progress and cancellation between the layers of a model."""

from __future__ import annotations

import threading
from typing import cast

import pytest
import torch
from torch import nn

from inference.backends.base import Cancellation
from inference.backends.layer_watch import (
    AnswerStoppedError,
    LayerWatch,
    PrefillProgress,
    find_layers,
)
from inference.requests import Event, Stage, StageProgress


class TwoTowers(nn.Module):
    """A model with two vision layers, three text layers and a list that is neither."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Module()
        self.visual.blocks = nn.ModuleList(nn.Identity() for _ in range(2))
        self.language_model = nn.Module()
        self.language_model.layers = nn.ModuleList(nn.Identity() for _ in range(3))
        self.visual.mergers = nn.ModuleList(nn.Identity() for _ in range(9))

    @property
    def vision_layers(self) -> nn.ModuleList:
        return cast("nn.ModuleList", self.visual.blocks)

    @property
    def text_layers(self) -> nn.ModuleList:
        return cast("nn.ModuleList", self.language_model.layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (*self.vision_layers, *self.text_layers):
            x = layer(x)
        return x


class Clock:
    """Goes on by a tenth of a second and a bit at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.11
        return self.now


@pytest.fixture
def model() -> TwoTowers:
    """Return a small model with hooks in place."""
    return TwoTowers()


def run(
    model: nn.Module, watch: LayerWatch, cancellation: Cancellation
) -> tuple[list[Event], PrefillProgress]:
    events: list[Event] = []
    progress = PrefillProgress(
        emit=events.append, cancellation=cancellation, prompt_tokens=30, clock=Clock()
    )
    with watch.watching(progress):
        model(torch.zeros(1))
    progress.end()
    return events, progress


def test_layers_are_found_by_their_names(model: TwoTowers) -> None:
    found = find_layers(model)

    assert found == {
        Stage.VISION: model.vision_layers,
        Stage.PREFILL: model.text_layers,
    }


def test_progress_counts_layers_and_then_tokens(model: TwoTowers) -> None:
    events, progress = run(model, LayerWatch(model), Cancellation())

    counted = [(e.stage, e.done, e.total) for e in events if isinstance(e, StageProgress)]
    assert counted == [
        (Stage.VISION, 0, 2),
        (Stage.VISION, 1, 2),
        (Stage.VISION, 2, 2),
        (Stage.PREFILL, 0, 30),
        (Stage.PREFILL, 10, 30),
        (Stage.PREFILL, 20, 30),
        (Stage.PREFILL, 30, 30),
    ]
    assert progress.vision_ms > 0
    assert progress.prefill_ms > 0


def test_cancelled_request_breaks_out_before_the_next_layer(model: TwoTowers) -> None:
    cancellation = Cancellation()
    watch = LayerWatch(model)
    model.vision_layers[1].register_forward_hook(lambda *_: cancellation.set())

    with pytest.raises(AnswerStoppedError):
        run(model, watch, cancellation)


def test_layers_are_free_after_the_first_token(model: TwoTowers) -> None:
    events: list[Event] = []
    cancellation = Cancellation()
    progress = PrefillProgress(emit=events.append, cancellation=cancellation, prompt_tokens=3)
    progress.end()
    cancellation.set()

    with LayerWatch(model).watching(progress):
        model(torch.zeros(1))

    assert len(events) == 1


def test_threads_do_not_report_to_each_other(model: TwoTowers) -> None:
    watch = LayerWatch(model)
    events: list[Event] = []
    progress = PrefillProgress(emit=events.append, cancellation=Cancellation(), prompt_tokens=3)

    with watch.watching(progress):
        other = threading.Thread(target=model, args=(torch.zeros(1),))
        other.start()
        other.join()

    assert not events
