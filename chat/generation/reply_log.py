"""The text of the replies being written, by offset: where a socket re-reads what it missed.

One contract with two homes: memory, for replies written in this process, and Redis
(`redis_reply_log`), for those that any process writes. Offsets count Unicode code points. Entries
carry the attempt, so that a writer whose lease was taken over cannot write (invariant I4). A log
may be lost at any time; the reply's row is what counts.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Sequence

RETENTION_S = 60.0  # after the end; the row is the truth by then
# Stands in the place of a log that is forgotten: above any real one, it stops a late writer.
GONE_ATTEMPT = 2**32


class StaleAttemptError(Exception):
    """A writer whose attempt is over tried to write."""


@dataclass(frozen=True, slots=True)
class LogView:
    """What a reader gets: the text from its offset on, the end offset, the latest stage.

    `sha256` is the hex digest of the whole text's UTF-8, once it has ended.
    """

    text: str
    end: int
    status: dict[str, Any] | None
    is_ended: bool
    sha256: str = ""


class ReplyLog(Protocol):
    """What every home promises; all of it thread-safe, for one writing thread a reply."""

    def start(self, reply_id: uuid.UUID, attempt: int, text: str) -> None:
        """Open the log for an attempt, beginning with the text that earlier ones kept.

        Raises:
            StaleAttemptError: a later attempt has opened it already.
        """

    def append(self, reply_id: uuid.UUID, attempt: int, text: str) -> int:
        """Add text at the end; returns the offset where it starts.

        Raises:
            StaleAttemptError: the attempt is not the log's, or the log has ended.
        """

    def set_status(self, reply_id: uuid.UUID, attempt: int, status: dict[str, Any]) -> None:
        """Keep the latest stage for readers that come later.

        Raises:
            StaleAttemptError: the attempt is not the log's, or the log has ended.
        """

    def end(self, reply_id: uuid.UUID, attempt: int, *, is_lost: bool = False) -> None:
        """Close the log, to be forgotten after `RETENTION_S`; an older attempt changes nothing.

        `is_lost`: the reply is not this attempt's any more, or gone; so nothing is made anew.
        """

    def forget(self, reply_ids: Sequence[uuid.UUID]) -> None:
        """Drop the logs of replies whose rows are gone; who still writes one is stopped by it."""

    def read(self, reply_id: uuid.UUID, offset: int) -> LogView | None:
        """Give everything from the offset on; None when the log is not here or cannot be read."""


@dataclass(slots=True)
class _Entry:
    attempt: int
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    status: dict[str, Any] | None = None
    ended_at: float | None = None

    def whole_text(self) -> str:
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0]


class MemoryReplyLog:
    """The home in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` gives seconds and only moves forward."""
        self._entries: dict[uuid.UUID, _Entry] = {}
        self._lock = threading.Lock()
        self._clock = clock

    def start(self, reply_id: uuid.UUID, attempt: int, text: str) -> None:
        """See `ReplyLog.start`."""
        with self._lock:
            self._forget_old()
            known = self._entries.get(reply_id)
            if known is not None and known.attempt > attempt:
                raise StaleAttemptError(reply_id, attempt, known.attempt)
            self._entries[reply_id] = _Entry(attempt, [text], len(text))

    def append(self, reply_id: uuid.UUID, attempt: int, text: str) -> int:
        """See `ReplyLog.append`."""
        with self._lock:
            entry = self._writable(reply_id, attempt)
            offset = entry.length
            entry.pieces.append(text)
            entry.length += len(text)
            return offset

    def set_status(self, reply_id: uuid.UUID, attempt: int, status: dict[str, Any]) -> None:
        """See `ReplyLog.set_status`."""
        with self._lock:
            self._writable(reply_id, attempt).status = status

    def end(self, reply_id: uuid.UUID, attempt: int, *, is_lost: bool = False) -> None:
        """See `ReplyLog.end`."""
        with self._lock:
            entry = self._entries.get(reply_id)
            if entry is not None and entry.attempt == attempt:
                entry.ended_at = self._clock()

    def forget(self, reply_ids: Sequence[uuid.UUID]) -> None:
        """See `ReplyLog.forget`."""
        with self._lock:
            self._forget_old()
            for reply_id in reply_ids:
                self._entries[reply_id] = _Entry(GONE_ATTEMPT, [""], ended_at=self._clock())

    def read(self, reply_id: uuid.UUID, offset: int) -> LogView | None:
        """See `ReplyLog.read`."""
        with self._lock:
            entry = self._entries.get(reply_id)
            if entry is None or entry.attempt == GONE_ATTEMPT:
                return None
            text = entry.whole_text()
            is_ended = entry.ended_at is not None
            digest = hashlib.sha256(text.encode()).hexdigest() if is_ended else ""
            return LogView(text[offset:], entry.length, entry.status, is_ended, digest)

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


def _home() -> ReplyLog:
    if not settings.REDIS_URL:
        return MemoryReplyLog()
    # Builds on this module.
    from chat.generation.redis_link import redis_link
    from chat.generation.redis_reply_log import RedisReplyLog

    return RedisReplyLog(redis_link())


reply_log = _home()
