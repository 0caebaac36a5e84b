"""The engine's thread: hand in, wait for the end, close, and start anew when books are broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import pytest

from inference.engine.engine_thread import EngineThread
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import EngineSequence, SequenceEnded, SequenceEvent, TokenChosen
from inference.errors import ErrorCode, InferenceError
from tests.inference.engine.fake_engine import Engine, ask, words

DEADLINE_S = 20.0


class Bench:
    """An engine's thread over fake networks, and all that was made for it."""

    def __init__(self) -> None:
        self.engines: list[Engine] = []
        self.surrounded: list[str] = []
        self.thread = EngineThread(self._make, self._surroundings())

    def submit(
        self, *parts: int, max_tokens: int = 5, is_cancelled: bool = False
    ) -> SimpleQueue[SequenceEvent]:
        events: SimpleQueue[SequenceEvent] = SimpleQueue()
        asker = ask(*parts, max_tokens=max_tokens)
        sequence = EngineSequence(
            asker.sequence.prompt,
            asker.sequence.rule,
            emit=events.put,
            is_cancelled=lambda: is_cancelled,
        )
        self.thread.submit(sequence)
        return events

    def _make(self) -> Scheduler:
        self.engines.append(Engine())
        return self.engines[-1].scheduler

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        self.surrounded.append(threading.current_thread().name)
        yield
        self.surrounded.append("left")


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.thread.close()


def read_all(events: SimpleQueue[SequenceEvent]) -> list[SequenceEvent]:
    """Return all events up to the last one."""
    read = [events.get(timeout=DEADLINE_S)]
    while not isinstance(read[-1], SequenceEnded):
        read.append(events.get(timeout=DEADLINE_S))
    return read


def read_error(events: SimpleQueue[SequenceEvent]) -> Exception | None:
    last = read_all(events)[-1]
    return last.error if isinstance(last, SequenceEnded) else None


def test_sequences_from_several_threads_are_answered(bench: Bench) -> None:
    answers = [bench.submit(*words(12, number)) for number in range(6)]

    for number, events in enumerate(answers):
        tokens = [e.token_id for e in read_all(events) if isinstance(e, TokenChosen)]
        assert tokens == ask(*words(12, number)).expected(5)


def test_who_comes_and_goes_during_a_step_hears_of_it_within_a_layer(bench: Bench) -> None:
    layers, may_go_on = SimpleQueue[str](), threading.Semaphore(0)

    def wait_before_layer(kind: str) -> None:
        layers.put(kind)
        assert may_go_on.acquire(timeout=DEADLINE_S)

    bench.engines[0].network.before_layer = wait_before_layer
    answer = bench.submit(*words(40))
    layers.get(timeout=DEADLINE_S)
    gone = bench.submit(1, 2, is_cancelled=True)

    may_go_on.release()

    assert read_all(gone) == [SequenceEnded(0)]
    assert layers.get(timeout=DEADLINE_S) == "text"  # the next layer of the same step
    may_go_on.release(1000)
    assert read_error(answer) is None


def test_surroundings_are_entered_and_left_in_the_engines_thread(bench: Bench) -> None:
    bench.thread.close()

    assert bench.surrounded == ["inference-engine", "left"]


def test_thread_sleeps_and_takes_up_work_again(bench: Bench) -> None:
    read_all(bench.submit(1, 2))

    assert read_error(bench.submit(3, 4)) is None


def test_closing_ends_what_runs_and_refuses_what_comes(bench: Bench) -> None:
    gate = threading.Event()

    def hold(kind: str) -> None:
        gate.wait(DEADLINE_S)

    bench.engines[0].network.before_layer = hold
    running = bench.submit(1, 2, max_tokens=500)
    closer = threading.Thread(target=bench.thread.close)
    closer.start()
    gate.set()
    closer.join(DEADLINE_S)

    for events in (running, bench.submit(1)):
        error = read_error(events)
        assert isinstance(error, InferenceError)
        assert (error.code, error.retryable) == (ErrorCode.MODEL_UNAVAILABLE, True)
        with pytest.raises(Empty):
            events.get_nowait()


def test_broken_books_end_all_and_a_new_scheduler_takes_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.engines[0].scheduler, "step", _raiser("broken books"))

    error = read_error(bench.submit(1, 2))

    assert str(error) == "broken books"
    assert read_error(bench.submit(1, 2)) is None
    assert len(bench.engines) == 2


def test_books_are_checked_when_the_engine_becomes_idle(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.engines[0].scheduler, "check_invariants", _raiser("a page is lost"))

    read_all(bench.submit(1, 2))
    read_all(bench.submit(1, 2))

    assert len(bench.engines) == 2


def test_stats_are_those_after_the_latest_step(bench: Bench) -> None:
    read_all(bench.submit(1, 2, 3))
    bench.thread.close()

    assert bench.thread.stats().chosen_tokens == 5
    assert bench.thread.capacity_tokens == 64 * 16


def _raiser(text: str) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise RuntimeError(text)

    return fail
