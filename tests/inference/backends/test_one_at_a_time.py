"""Answers of a model that stands in for the engine take turns."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from inference.backends.base import Cancellation, LoadedModel, ModelFiles
from inference.backends.one_at_a_time import OneAtATime
from inference.backends.scripted import Gate, Script, ScriptedBackend
from inference.requests import Finished, FinishReason, Stage
from inference.testing import make_request

DEADLINE_S = 10.0


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Return a gate that holds every step behind the loading."""
    gate = Gate(is_open=False)
    gate.allow(Stage.LOADING, 100)
    yield gate
    gate.open()


@pytest.fixture
def model(gate: Gate) -> LoadedModel:
    """Return a model whose answers are held by the gate, and take turns."""
    script = Script(vision_steps=1, prefill_steps=1, gate=gate)
    return OneAtATime(ScriptedBackend(script).load(ModelFiles("x", None), lambda *_: None))


class Caller(threading.Thread):
    """Asks the model once, in a thread of its own."""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__(daemon=True)
        self.model = model
        self.cancellation = Cancellation()
        self.has_begun = False
        self.finished: Finished | None = None
        self.start()

    def run(self) -> None:
        self.finished = self.model.answer(
            make_request(), emit=self._note, cancellation=self.cancellation
        )

    def _note(self, event: object) -> None:
        self.has_begun = True


def test_second_answer_begins_when_the_first_has_ended(model: LoadedModel, gate: Gate) -> None:
    first = Caller(model)
    assert gate.wait_until_blocked(Stage.VISION, DEADLINE_S)
    second = Caller(model)
    second.join(0.3)
    had_begun = second.has_begun

    gate.open()
    first.join(DEADLINE_S)
    second.join(DEADLINE_S)

    assert not had_begun
    assert second.has_begun
    assert second.finished is not None


def test_cancelled_answer_does_not_wait_for_its_turn(model: LoadedModel, gate: Gate) -> None:
    Caller(model)
    assert gate.wait_until_blocked(Stage.VISION, DEADLINE_S)
    second = Caller(model)

    second.cancellation.set()
    second.join(DEADLINE_S)

    assert second.finished is not None
    assert second.finished.finish_reason is FinishReason.STOPPED


def test_model_is_passed_on(model: LoadedModel) -> None:
    model.close()

    assert (model.name, model.demo) == ("x", False)
    assert model.image_limits.patch_px > 0
