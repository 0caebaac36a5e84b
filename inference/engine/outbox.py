"""The events of sequences on their way out, held back while the engine's thread has more to do.

An event wakes the thread that waits for it, and that one takes the interpreter's lock at the
engine's next operator of torch's. Told one by one, eight people's tokens so took the engine's
thread 10 ms to choose; told behind the last choice, they are written while the next pass computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inference.engine.sequence import EngineSequence, SequenceEvent


class Outbox:
    """Passes events on in the order in which they come; used by one thread."""

    def __init__(self) -> None:
        """Start with nothing held back."""
        self._held: list[tuple[EngineSequence, SequenceEvent]] = []
        self._is_holding = False

    def tell(self, sequence: EngineSequence, event: SequenceEvent) -> None:
        """Tell whoever asked, now or when `holding` ends."""
        self._held.append((sequence, event))
        if not self._is_holding:
            self.deliver()

    def deliver(self) -> None:
        """Tell now what was held back."""
        held, self._held = self._held, []
        for sequence, event in held:
            sequence.emit(event)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold all events back until the end of the context, however it ends."""
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False
            self.deliver()
