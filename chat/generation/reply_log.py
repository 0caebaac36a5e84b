"""The text of the replies being written, by offset: where a socket re-reads what it missed.

One contract; this is its home in memory, for replies written in this process. Offsets count
Unicode code points. Entries carry the attempt, so that a writer whose lease was taken over
cannot write (invariant I4). Thread-safe.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

RETENTION_S = 60.0  # after the end; the row is the truth by then


class StaleAttemptError(Exception):
    """A writer whose attempt is over tried to write."""


@dataclass(frozen=True, slots=True)
class LogView:
    """What a reader gets: the text from its offset on, the end offset, the latest stage."""

    text: str
    end: int
    status: dict[str, Any] | None
    is_ended: bool


@dataclass(slots=True)
class _Entry:
    attempt: int
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    status: dict[str, Any] | None = None
    ended_at: float | None = None


class MemoryReplyLog:
    """The reply log of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` gives seconds and only moves forward."""
        self._entries: dict[uuid.UUID, _Entry] = {}
        self._lock = threading.Lock()
        self._clock = clock

    def start(self, reply_id: uuid.UUID, attempt: int, text: str) -> None:
        """Open the log for an attempt, beginning with the text that earlier ones kept.

        Raises:
            StaleAttemptError: a later attempt has opened it already.
        """
        with self._lock:
            self._forget_old()
            known = self._entries.get(reply_id)
            if known is not None and known.attempt > attempt:
                raise StaleAttemptError(reply_id, attempt, known.attempt)
            self._entries[reply_id] = _Entry(attempt, [text], len(text))

    def append(self, reply_id: uuid.UUID, attempt: int, text: str) -> int:
        """Add text at the end; returns the offset where it starts.

        Raises:
            StaleAttemptError: the attempt is not the log's, or the log has ended.
        """
        with self._lock:
            entry = self._writable(reply_id, attempt)
            offset = entry.length
            entry.pieces.append(text)
            entry.length += len(text)
            return offset

    def set_status(self, reply_id: uuid.UUID, attempt: int, status: dict[str, Any]) -> None:
        """Keep the latest stage for readers that come later.

        Raises:
            StaleAttemptError: the attempt is not the log's, or the log has ended.
        """
        with self._lock:
            self._writable(reply_id, attempt).status = status

    def end(self, reply_id: uuid.UUID, attempt: int) -> None:
        """Close the log; an older attempt's call changes nothing."""
        with self._lock:
            entry = self._entries.get(reply_id)
            if entry is not None and entry.attempt == attempt:
                entry.ended_at = self._clock()

    def read(self, reply_id: uuid.UUID, offset: int) -> LogView | None:
        """Give everything from the offset on; None when this process does not write the reply."""
        with self._lock:
            entry = self._entries.get(reply_id)
            if entry is None:
                return None
            if len(entry.pieces) > 1:
                entry.pieces = ["".join(entry.pieces)]
            text = entry.pieces[0][offset:]
            return LogView(text, entry.length, entry.status, entry.ended_at is not None)

    def _writable(self, reply_id: uuid.UUID, attempt: int) -> _Entry:
        entry = self._entries.get(reply_id)
        if entry is None or entry.attempt != attempt or entry.ended_at is not None:
            raise StaleAttemptError(reply_id, attempt, entry and entry.attempt)
        return entry

    def _forget_old(self) -> None:
        limit = self._clock() - RETENTION_S
        for reply_id in [
            key
            for key, entry in self._entries.items()
            if entry.ended_at is not None and entry.ended_at < limit
        ]:
            del self._entries[reply_id]


reply_log = MemoryReplyLog()
