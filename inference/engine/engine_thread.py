"""The engine's one thread: it alone touches networks, caches and running sequences.

Other threads hand sequences in and read statistics; everything else comes back through each
sequence's own events. Should a step break the scheduler's books, all its sequences end with the
error and a new scheduler with an empty cache takes over: nothing of a cache that cannot be trusted
may reach another conversation.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from inference.engine.engine_stats import EngineStats
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import EngineSequence, SequenceEnded
from inference.errors import ErrorCode, InferenceError

logger = logging.getLogger(__name__)


class EngineThread:
    """Runs a scheduler for as long as there is work; see the module's text."""

    def __init__(
        self, make_scheduler: Callable[[], Scheduler], surroundings: AbstractContextManager[None]
    ) -> None:
        """Make the scheduler and start the thread `inference-engine`.

        `surroundings` is entered first in that thread and left last: settings that hold for a
        thread only, and what must be given back when it ends.
        """
        self._make_scheduler = make_scheduler
        self._surroundings = surroundings
        self._scheduler = make_scheduler()
        self._changed = threading.Condition()
        self._arrived: list[EngineSequence] = []
        self._is_closing = False
        self._stats = self._scheduler.stats()
        self._capacity_tokens = self._scheduler.capacity_tokens
        self._thread = threading.Thread(target=self._run, name="inference-engine", daemon=True)
        self._thread.start()

    @property
    def capacity_tokens(self) -> int:
        """Return how long prompt and answer together may become."""
        return self._capacity_tokens

    def submit(self, sequence: EngineSequence) -> None:
        """Hand in a sequence, which gets exactly one `SequenceEnded` from now on."""
        with self._changed:
            if not self._is_closing:
                self._arrived.append(sequence)
                self._changed.notify()
                return
        sequence.emit(SequenceEnded(0, _closing()))

    def stats(self) -> EngineStats:
        """Return the engine's figures after its latest step."""
        return self._stats

    def close(self, timeout_s: float = 10.0) -> None:
        """End all sequences and the thread, after the layer that it is in."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        with self._surroundings:
            self._serve()

    def _serve(self) -> None:
        while self._take_arrivals():
            try:
                self._work()
            except Exception as error:
                logger.exception("The engine's books are broken; it starts anew.")
                self._scheduler.end_all(error)
                self._scheduler = self._make_scheduler()
            self._stats = self._scheduler.stats()
        for sequence in self._arrived:
            sequence.emit(SequenceEnded(0, _closing()))
        self._scheduler.end_all(_closing())
        self._scheduler.close()

    def _work(self) -> None:
        self._scheduler.step(self._add_arrived)
        if not self._scheduler.has_work:
            self._scheduler.check_invariants()

    def _take_arrivals(self) -> bool:
        """Wait until there is work; say whether the thread shall go on."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closing or self._arrived or self._scheduler.has_work
            )
            if self._is_closing:
                return False
        self._add_arrived()
        return True

    def _add_arrived(self) -> None:
        with self._changed:
            arrived, self._arrived = self._arrived, []
        for sequence in arrived:
            self._scheduler.add(sequence)


def _closing() -> InferenceError:
    return InferenceError(
        ErrorCode.MODEL_UNAVAILABLE, "The inference service is shutting down.", retryable=True
    )
