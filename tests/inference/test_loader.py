"""The demo answers until the wanted model is here, and no answer is lost in the exchange."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from inference.backends.base import ModelFiles, ReportProgress
from inference.errors import ErrorCode, InferenceError
from inference.requests import Finished, Stage
from inference.service import InferenceService, Phase, ServiceState
from inference.testing import Gate, Script, make_request, read_events, scripted_service

DEADLINE_S = 10.0
DEMO = ModelFiles("demo", None, demo=True)
BIG = ModelFiles("big", None)


class StagedSource:
    """A source whose download begins and ends when the test says so."""

    wanted = "big"

    def __init__(self, *, stand_in: ModelFiles | None = DEMO) -> None:
        self.stand_in = stand_in
        self.may_end = threading.Event()
        self.failure: InferenceError | None = None

    def find_local(self) -> ModelFiles | None:
        return None

    def find_stand_in(self) -> ModelFiles | None:
        return self.stand_in

    def fetch(self, report: ReportProgress, stop: threading.Event) -> ModelFiles:
        report(50, 200)
        while not self.may_end.wait(0.01):
            if stop.is_set():
                raise InferenceError(ErrorCode.MODEL_UNAVAILABLE, "closing")
        if self.failure is not None:
            raise self.failure
        return BIG


@pytest.fixture
def source() -> StagedSource:
    """Return a source with a demo as stand-in."""
    return StagedSource()


@pytest.fixture
def gate() -> Gate:
    """Return an open gate."""
    return Gate()


@pytest.fixture
def service(source: StagedSource, gate: Gate) -> Iterator[InferenceService]:
    """Return a service over the staged source."""
    with scripted_service(Script(gate=gate), slots=2, source=source) as service:
        yield service


class StateWaiter:
    """Waits for a state that fulfils a condition."""

    def __init__(self, service: InferenceService) -> None:
        self._service = service
        self._changed = threading.Event()
        service.add_listener(lambda state: self._changed.set())

    def wait(self, *, demo: bool, upcoming: str | None) -> ServiceState:
        for _ in range(100):
            self._changed.clear()
            state = self._service.state
            ready = state.phase is Phase.READY
            if ready and (state.demo, state.upcoming) == (demo, upcoming):
                return state
            self._changed.wait(DEADLINE_S / 100)
        raise AssertionError(f"state stayed {self._service.state}")


def test_demo_answers_while_the_wanted_model_is_downloaded(service: InferenceService) -> None:
    state = StateWaiter(service).wait(demo=True, upcoming="big")

    last = read_events(service.submit(make_request()))[-1]

    assert (state.model, state.total) in (("demo", 0), ("demo", 200))
    assert isinstance(last, Finished)
    assert (last.model, last.demo) == ("demo", True)


def test_download_progress_stands_in_the_state_beside_the_demo(service: InferenceService) -> None:
    waiter = StateWaiter(service)
    states: list[ServiceState] = []
    reported = threading.Event()

    def notice(state: ServiceState) -> None:
        states.append(state)
        if state.total == 200:
            reported.set()

    service.add_listener(notice)
    waiter.wait(demo=True, upcoming="big")

    assert service.state.total == 200 or reported.wait(DEADLINE_S)
    assert (service.state.done, service.state.total) == (50, 200)


def test_wanted_model_takes_over_when_it_is_here(
    service: InferenceService, source: StagedSource
) -> None:
    waiter = StateWaiter(service)
    waiter.wait(demo=True, upcoming="big")

    source.may_end.set()
    state = waiter.wait(demo=False, upcoming=None)
    last = read_events(service.submit(make_request()))[-1]

    assert state.model == "big"
    assert isinstance(last, Finished)
    assert (last.model, last.demo) == ("big", False)


def test_running_answer_ends_on_the_model_it_began_with(
    service: InferenceService, source: StagedSource, gate: Gate
) -> None:
    waiter = StateWaiter(service)
    waiter.wait(demo=True, upcoming="big")
    gate.close()
    gate.allow(Stage.LOADING, 100)
    running = service.submit(make_request())
    assert gate.wait_until_blocked(Stage.VISION, DEADLINE_S)

    source.may_end.set()
    waiter.wait(demo=False, upcoming=None)
    gate.open()

    last = read_events(running)[-1]
    assert isinstance(last, Finished)
    assert last.model == "demo"


def test_failed_download_leaves_the_demo_answering(
    service: InferenceService, source: StagedSource
) -> None:
    waiter = StateWaiter(service)
    waiter.wait(demo=True, upcoming="big")

    source.failure = InferenceError(ErrorCode.MODEL_UNAVAILABLE, "no network", retryable=True)
    source.may_end.set()
    state = waiter.wait(demo=True, upcoming=None)

    assert state.message == "no network"
    assert isinstance(read_events(service.submit(make_request()))[-1], Finished)


def test_without_a_stand_in_requests_wait_for_the_download() -> None:
    source = StagedSource(stand_in=None)
    with scripted_service(source=source) as service:
        generation = service.submit(make_request())
        first = generation.next_event(DEADLINE_S)

        source.may_end.set()

        assert getattr(first, "stage", None) is Stage.LOADING
        last = read_events(generation)[-1]
        assert isinstance(last, Finished)
        assert last.model == "big"


def test_close_during_a_download_ends_the_loader(
    service: InferenceService, source: StagedSource
) -> None:
    StateWaiter(service).wait(demo=True, upcoming="big")

    service.close()

    assert not any(t.name == "inference-loader" for t in threading.enumerate())
