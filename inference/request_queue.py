"""The requests that wait, the requests that run, and the counting of those that ended."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from inference.errors import ErrorCode, InferenceError
from inference.generation import Generation
from inference.requests import Failed, Finished
from inference.service_state import ServiceStats

CLOSING_MESSAGE = "The inference service is shutting down."


class RequestQueue:
    """First come, first served, with a limited number of waiting requests; thread-safe.

    Invariant: a generation that was put in is waiting, running, or ended by exactly one event.
    """

    def __init__(self, *, slots: int, max_waiting: int) -> None:
        """Serve `slots` takers; `max_waiting` requests may wait beside those that run."""
        self._slots = slots
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._waiting: deque[Generation] = deque()
        self._running: set[Generation] = set()
        self._is_closed = False
        self._finished_count = 0
        self._failed_count = 0

    def put(self, generation: Generation, check: Callable[[], None]) -> None:
        """Add a request behind the others, if `check` does not raise.

        Raises:
            InferenceError: `queue_full`, or `model_unavailable` after `close`.
        """
        with self._changed:
            if self._is_closed:
                raise closing_error()
            check()
            # A free slot takes its request in a moment: only those who must wait count as waiting.
            free_slots = self._slots - len(self._running)
            if len(self._waiting) >= self._max_waiting + free_slots:
                raise InferenceError(
                    ErrorCode.QUEUE_FULL,
                    "Too many questions are waiting. Try again shortly.",
                    retryable=True,
                )
            self._waiting.append(generation)
            self._changed.notify_all()

    def take(self, is_ready: Callable[[], bool]) -> Generation | None:
        """Block for the next request while `is_ready` is false or none waits; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or (self._waiting and is_ready()))
            if self._is_closed:
                return None
            generation = self._waiting.popleft()
            self._running.add(generation)
            return generation

    def wake(self) -> None:
        """Let the takers ask their `is_ready` again."""
        with self._changed:
            self._changed.notify_all()

    def withdraw(self, generation: Generation) -> bool:
        """Take a waiting request out; say whether it was waiting."""
        with self._changed:
            if generation not in self._waiting:
                return False
            self._waiting.remove(generation)
            return True

    def list_waiting(self) -> list[Generation]:
        """Return the waiting requests in their order."""
        with self._changed:
            return list(self._waiting)

    def withdraw_all(self) -> list[Generation]:
        """Take all waiting requests out and return them."""
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
            return waiting

    def close(self) -> list[Generation]:
        """Let nothing in any more, send the takers home, return all requests without an end."""
        with self._changed:
            self._is_closed = True
            unfinished = [*self._waiting, *self._running]
            self._waiting.clear()
            self._changed.notify_all()
            return unfinished

    def end(self, generation: Generation, event: Finished | Failed) -> None:
        """Give a request its terminal event, unless it has one."""
        with self._changed:
            self._running.discard(generation)
            if not generation.end(event):
                return
            if isinstance(event, Finished):
                self._finished_count += 1
            else:
                self._failed_count += 1

    def stats(self) -> ServiceStats:
        """Return how full the queue is and what came out of it."""
        with self._changed:
            return ServiceStats(
                queued=len(self._waiting),
                running=len(self._running),
                slots=self._slots,
                finished=self._finished_count,
                failed=self._failed_count,
            )


def closing_error() -> InferenceError:
    """Return the error of requests that the service leaves; another worker may go on."""
    return InferenceError(ErrorCode.MODEL_UNAVAILABLE, CLOSING_MESSAGE, retryable=True)
