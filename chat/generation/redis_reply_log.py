"""The reply log's home in Redis, for replies that another process writes.

Two streams for each reply. In that of the text a piece has the id `attempt-end`, `end` being the
offset behind it: ids must grow, so Redis itself refuses the pieces of an older attempt, and a
reader asks for exactly what lies beyond its offset. Now and then a piece holds the whole text, and
everything before it is dropped: the stream is bounded. The other stream holds the latest stage.

The writer keeps the whole text. When Redis fails, or lost the stream (a restart, FLUSHALL), it
writes the whole as soon as it can; meanwhile readers get None and turn to the reply's row.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from chat.generation.redis_link import RedisAwayError
from chat.generation.reply_log import GONE_ATTEMPT, RETENTION_S, LogView, StaleAttemptError

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterable, Sequence

    from chat.generation.redis_link import RedisLink

WHOLE_EVERY_PIECES = 256
# How long a stream without an end is kept; no reply lives longer (VL_REPLY_DEADLINE_S).
RUNNING_S = 86_400
GONE_S = 50  # how long a stream that is forgotten refuses its writers
FORGET_AT_ONCE = 500
NOT_GROWING = "equal or smaller"  # Redis' words for an id that is not above the last one

Fields = dict[str, str]
Entry = tuple[str, Fields]


class RedisReplyLog:
    """The reply log that all processes share; keeps in memory what this process writes."""

    def __init__(self, link: RedisLink) -> None:
        """Begin with nothing written by this process."""
        self._link = link
        self._writers: dict[uuid.UUID, _Writer] = {}

    def start(self, reply_id: uuid.UUID, attempt: int, text: str) -> None:
        """See `ReplyLog.start`."""
        known = self._writers.get(reply_id)
        if known is not None and known.attempt > attempt:
            raise StaleAttemptError(reply_id, attempt, known.attempt)
        writer = self._writers[reply_id] = _Writer(self._link, reply_id, attempt, text)
        writer.write_whole()

    def append(self, reply_id: uuid.UUID, attempt: int, text: str) -> int:
        """See `ReplyLog.append`."""
        return self._writer(reply_id, attempt).append(text)

    def set_status(self, reply_id: uuid.UUID, attempt: int, status: dict[str, Any]) -> None:
        """See `ReplyLog.set_status`."""
        self._writer(reply_id, attempt).set_status(status)

    def end(self, reply_id: uuid.UUID, attempt: int, *, is_lost: bool = False) -> None:
        """See `ReplyLog.end`."""
        writer = self._writers.get(reply_id)
        if writer is not None and writer.attempt == attempt:
            del self._writers[reply_id]
            writer.end(is_lost=is_lost)

    def forget(self, reply_ids: Sequence[uuid.UUID]) -> None:
        """See `ReplyLog.forget`.

        What stands in a stream's place for a while is an attempt above all others, so that Redis
        refuses whatever a writer elsewhere still sends.
        """
        for reply_id in reply_ids:
            self._writers.pop(reply_id, None)
        for start in range(0, len(reply_ids), FORGET_AT_ONCE):
            some = reply_ids[start : start + FORGET_AT_ONCE]
            with contextlib.suppress(RedisAwayError):  # then they end as all streams do
                self._link.run(functools.partial(_forget, reply_ids=some))

    def read(self, reply_id: uuid.UUID, offset: int) -> LogView | None:
        """See `ReplyLog.read`; 1 or 2 round trips."""
        try:
            return self._link.run(lambda redis: _read(redis, reply_id, offset))
        except RedisAwayError:
            return None

    def _writer(self, reply_id: uuid.UUID, attempt: int) -> _Writer:
        writer = self._writers.get(reply_id)
        if writer is None or writer.attempt != attempt:
            raise StaleAttemptError(reply_id, attempt, writer and writer.attempt)
        return writer


class _Writer:
    """Writes the streams of one reply under one attempt; used by one thread at a time."""

    def __init__(self, link: RedisLink, reply_id: uuid.UUID, attempt: int, text: str) -> None:
        self.attempt = attempt
        self._link = link
        self._reply_id = reply_id
        self._text_key, self._status_key = _keys(reply_id)
        self._parts = [text]
        self._length = len(text)
        self._pieces_since_whole = 0
        self._status: dict[str, Any] | None = None
        self._status_count = 0
        self._is_whole = False  # whether readers find the whole text so far

    def append(self, text: str) -> int:
        offset = self._length
        self._parts.append(text)
        self._length += len(text)
        if not text:
            return offset
        if self._is_whole and self._pieces_since_whole < WHOLE_EVERY_PIECES:
            self._pieces_since_whole += 1
            self._write(lambda redis: self._add_piece(redis, offset, text))
        else:
            self.write_whole()
        return offset

    def set_status(self, status: dict[str, Any]) -> None:
        self._status = status
        if self._is_whole:
            self._write(self._add_status)
        else:
            self.write_whole()

    def write_whole(self) -> None:
        self._is_whole, self._pieces_since_whole = True, 0
        self._write(self._add_whole)

    def end(self, *, is_lost: bool) -> None:
        try:
            if not self._is_whole and not is_lost:
                self.write_whole()
            self._write(functools.partial(self._add_end, nomkstream=is_lost))
        except StaleAttemptError:
            return  # it is the later attempt's to end

    def _write(self, add: Callable[[Any], None]) -> None:
        """Write if Redis lets us.

        Raises:
            StaleAttemptError: a later attempt has written.
        """
        try:
            newest = self._link.run(lambda redis: self._newest_attempt_if_refused(redis, add))
        except RedisAwayError:
            self._is_whole = False
            return
        if newest > self.attempt:
            raise StaleAttemptError(self._reply_id, self.attempt, newest)

    def _newest_attempt_if_refused(self, redis: Any, add: Callable[[Any], None]) -> int:
        """Add; give the attempt that stands in the way, 0 when none does.

        Our own attempt stands there when the entry was written although its answer was lost.
        """
        try:
            add(redis)
        except ResponseError as error:
            if NOT_GROWING not in str(error):
                raise
            keys = (self._text_key, self._status_key)
            return max(_attempt_of(redis.xrevrange(key, count=1)) for key in keys)
        return 0

    def _add_piece(self, redis: Any, offset: int, text: str) -> None:
        fields = {"offset": offset, "text": text}
        entry_id = f"{self.attempt}-{self._length}"
        if redis.xadd(self._text_key, fields, id=entry_id, nomkstream=True) is None:
            self._pieces_since_whole = 0
            self._add_whole(redis)  # Redis lost the stream

    def _add_whole(self, redis: Any) -> None:
        fields = {"offset": 0, "text": "".join(self._parts)}
        entry_id = f"{self.attempt}-{self._length}"
        redis.xadd(self._text_key, fields, id=entry_id, minid=entry_id, approximate=False)
        redis.expire(self._text_key, RUNNING_S)
        self._add_status(redis)

    def _add_status(self, redis: Any) -> None:
        self._status_count += 1
        fields = {"status": json.dumps(self._status)}
        entry_id = f"{self.attempt}-{self._status_count}"
        redis.xadd(self._status_key, fields, id=entry_id, maxlen=1, approximate=False)
        redis.expire(self._status_key, RUNNING_S)

    def _add_end(self, redis: Any, *, nomkstream: bool) -> None:
        digest = hashlib.sha256("".join(self._parts).encode()).hexdigest()
        entry_id = f"{self.attempt}-{self._length + 1}"
        redis.xadd(self._text_key, {"sha256": digest}, id=entry_id, nomkstream=nomkstream)
        for key in (self._text_key, self._status_key):
            redis.expire(key, int(RETENTION_S))


def _keys(reply_id: uuid.UUID) -> tuple[str, str]:
    """Name the streams of the text and of the stage."""
    return f"vl:reply:{reply_id}", f"vl:reply:{reply_id}:status"


def _forget(redis: Any, reply_ids: Iterable[uuid.UUID]) -> None:
    pipeline = redis.pipeline()
    for reply_id in reply_ids:
        for key in _keys(reply_id):
            pipeline.delete(key)
            pipeline.xadd(key, {"gone": 1}, id=f"{GONE_ATTEMPT}-1")
            pipeline.expire(key, GONE_S)
    pipeline.execute()


def _read(redis: Any, reply_id: uuid.UUID, offset: int) -> LogView | None:
    text_key, status_key = _keys(reply_id)
    pipeline = redis.pipeline(transaction=False)
    pipeline.xrevrange(text_key, count=1)
    pipeline.xrevrange(status_key, count=1)
    newest, statuses = pipeline.execute()
    if not newest or "gone" in newest[0][1]:
        return None
    attempt = _attempt_of(newest)
    entries = newest
    if _end_of(*newest[0]) > offset:
        # An id without its second half means the first or last one that begins so.
        entries = redis.xrange(text_key, min=f"{attempt}-{offset + 1}", max=attempt) or newest
    text = _text_beyond(offset, entries)
    if text is None:
        return None
    is_current = _attempt_of(statuses) == attempt
    status = json.loads(statuses[0][1]["status"]) if is_current else None
    digest = entries[-1][1].get("sha256", "")
    end = _end_of(*entries[-1])
    return LogView(text, end, status, is_ended=bool(digest), sha256=digest)


def _text_beyond(offset: int, entries: Iterable[Entry]) -> str | None:
    """Join the pieces from the offset on; None when one of them is missing."""
    parts, position, end = [], offset, offset
    for entry_id, fields in entries:
        end = _end_of(entry_id, fields)
        if "text" not in fields or end <= position:
            continue
        start = int(fields["offset"])
        if start > position:
            return None
        parts.append(fields["text"][position - start :])
        position = end
    return "".join(parts) if position >= end else None


def _end_of(entry_id: str, fields: Fields) -> int:
    """Give the offset behind a piece; the record of the end stands one place further."""
    return int(entry_id.partition("-")[2]) - ("sha256" in fields)


def _attempt_of(entries: list[Entry]) -> int:
    """Give the attempt of the first entry, 0 without one."""
    return int(entries[0][0].partition("-")[0]) if entries else 0
