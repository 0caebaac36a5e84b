"""What workers say of themselves arrives, also from workers of other versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from chat.generation.workers import Beat, RemoteWorkers
from inference.service import Phase, ServiceState
from inference.testing import make_request, read_events, scripted_service

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper


def told_by_a_worker() -> Beat:
    with scripted_service() as service:
        assert service.wait_ready(20)
        read_events(service.submit(make_request()))
        return Beat.of("host:1", service)


def test_a_beat_arrives_with_its_figures() -> None:
    beat = told_by_a_worker()

    assert Beat.decode(beat.encode()) == beat
    assert beat.stats is not None
    assert beat.stats.tokens > 0
    assert beat.state.phase == Phase.READY


def test_a_beat_of_a_worker_that_knows_no_figures_is_a_beat() -> None:
    told = json.loads(told_by_a_worker().encode())
    del told["stats"], told["owner"], told["context_tokens"]

    beat = Beat.decode(json.dumps(told))

    assert (beat.owner, beat.stats, beat.context_tokens) == ("", None, 0)
    assert beat.state.phase == Phase.READY


def test_a_beat_with_other_figures_is_a_beat_without() -> None:
    told = json.loads(told_by_a_worker().encode())
    told["stats"]["of the future"] = 1

    assert Beat.decode(json.dumps(told)).stats is None


class Told:
    """Stands for Redis: the beats that it holds at the moment."""

    def __init__(self) -> None:
        self.beats: list[Beat] = []

    def run(self, _work: Any) -> list[Beat]:
        return self.beats


def a_beat(context_tokens: int, phase: Phase = Phase.READY) -> Beat:
    return Beat(ServiceState(phase=phase), 1, context_tokens=context_tokens)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def changes() -> list[int]:
    """Note what context people were told of after each change."""
    return []


@pytest.fixture
def workers(told: Told, changes: list[int], settings: SettingsWrapper) -> RemoteWorkers:
    """Workers that nobody has looked at."""
    settings.VL_CONTEXT_TOKENS = 9000

    def note() -> None:
        changes.append(workers.context_tokens)

    workers = RemoteWorkers(told, ring=lambda: None, on_change=note)  # type: ignore[arg-type]
    return workers


@pytest.mark.parametrize(
    ("beats", "context_tokens"),
    [
        pytest.param([], 9000, id="nobody"),
        pytest.param([a_beat(4096), a_beat(8192)], 4096, id="the smaller of two"),
        pytest.param([a_beat(0), a_beat(8192)], 8192, id="one of another version"),
        pytest.param([a_beat(1, Phase.LOADING), a_beat(8192)], 8192, id="one still loading"),
        pytest.param([a_beat(0)], 9000, id="nobody says"),
    ],
)
def test_a_question_has_to_fit_whichever_worker_answers(
    workers: RemoteWorkers, told: Told, beats: list[Beat], context_tokens: int
) -> None:
    told.beats = beats
    workers.look()

    assert workers.context_tokens == context_tokens


def test_another_context_is_told(workers: RemoteWorkers, told: Told, changes: list[int]) -> None:
    for context_tokens in (4096, 4096, 2048):
        told.beats = [a_beat(context_tokens)]
        workers.look()

    assert changes == [4096, 2048]
