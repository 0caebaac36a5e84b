"""One submitted request and its stream of events.

Shared by the thread that answers and the thread that reads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic

from inference.backends.base import Cancellation
from inference.requests import TERMINAL_EVENTS, Event, Failed, Finished, GenerationRequest


class Generation:
    """A submitted request: iterate it, from any thread, for its events up to the terminal one.

    Each event is given out once. Nothing here blocks the answering thread: events wait here until
    somebody reads.
    """

    def __init__(
        self, request: GenerationRequest, *, withdraw: Callable[[Generation], None]
    ) -> None:
        """Start without events; `withdraw` ends the generation at once if it is still queued."""
        self.request = request
        self.submitted_at = monotonic()
        self.cancellation = Cancellation()
        self._withdraw = withdraw
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._is_finished = False

    @property
    def is_finished(self) -> bool:
        """Say whether the terminal event is there, read or unread."""
        return self._is_finished

    def __iter__(self) -> Iterator[Event]:
        """Give the events as they come; blocks in between, ends after the terminal event."""
        while (event := self.next_event()) is not None:
            yield event

    def next_event(self, timeout_s: float | None = None) -> Event | None:
        """Return the next event, or None after `timeout_s` or behind the terminal event.

        `timeout_s` None waits for as long as it takes, 0 does not wait.
        """
        deadline = None if timeout_s is None else monotonic() + timeout_s
        with self._changed:
            while not self._events:
                left_s = None if deadline is None else deadline - monotonic()
                if self._is_finished or (left_s is not None and left_s <= 0):
                    return None
                self._changed.wait(left_s)
            return self._events.popleft()

    def cancel(self) -> None:
        """Ask this request to stop, and return immediately.

        A queued one ends at once, a running one within one token or one layer.
        """
        self.cancellation.set()
        self._withdraw(self)

    def emit(self, event: Event) -> None:
        """Add a progress or text event; ignored after the end. For the service only."""
        with self._changed:
            if self._is_finished or isinstance(event, TERMINAL_EVENTS):
                return
            self._events.append(event)
            self._changed.notify_all()

    def end(self, event: Finished | Failed) -> bool:
        """Add the terminal event; say whether it was the first.

        Later ones are ignored. For the service only.
        """
        with self._changed:
            if self._is_finished:
                return False
            self._is_finished = True
            self._events.append(event)
            self._changed.notify_all()
            return True
