"""The reply log in Redis: the contract, other processes, and a Redis that fails or forgets."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from chat.generation import redis_reply_log
from chat.generation.redis_link import RedisLink
from chat.generation.redis_reply_log import RedisReplyLog
from chat.generation.reply_log import ReplyLog, StaleAttemptError
from tests.chat.generation.reply_log_contract import ReplyLogContract
from tests.server.processes import free_port

if TYPE_CHECKING:
    from tests.redis.server import RedisServer

pytestmark = pytest.mark.redis

REPLY = uuid.UUID(int=1)


@pytest.fixture
def log(link: RedisLink) -> RedisReplyLog:
    """Make an empty log."""
    return RedisReplyLog(link)


class TestRedisReplyLog(ReplyLogContract):
    """The log's home in Redis."""

    @pytest.fixture(autouse=True)
    def _remember(self, link: RedisLink) -> None:
        self.redis = link.redis

    @pytest.fixture
    def log(self, link: RedisLink) -> ReplyLog:
        """Make an empty log."""
        return RedisReplyLog(link)

    def let_pass(self, log: ReplyLog, seconds: float) -> None:
        """Bring every key nearer to its end."""
        for key in self.redis.scan_iter():
            self.redis.pexpire(key, self.redis.pttl(key) - int(seconds * 1000))


def text_of(log: RedisReplyLog, offset: int = 0) -> str:
    """Read the text from the offset on; it has to be there."""
    view = log.read(REPLY, offset)
    assert view is not None
    return view.text


def test_another_process_reads_what_this_one_writes(link: RedisLink, log: RedisReplyLog) -> None:
    log.start(REPLY, 1, "kept ")
    log.append(REPLY, 1, "new")
    log.set_status(REPLY, 1, {"stage": "decode"})

    view = RedisReplyLog(link).read(REPLY, 5)

    assert view is not None
    assert (view.text, view.end, view.status) == ("new", 8, {"stage": "decode"})


def test_a_worker_that_was_taken_over_cannot_write(link: RedisLink, log: RedisReplyLog) -> None:
    log.start(REPLY, 1, "")
    log.append(REPLY, 1, "a long text of the old attempt")
    other = RedisReplyLog(link)
    other.start(REPLY, 2, "a long ")

    with pytest.raises(StaleAttemptError):
        log.append(REPLY, 1, "stale")
    with pytest.raises(StaleAttemptError):
        log.set_status(REPLY, 1, {"stage": "decode"})
    log.end(REPLY, 1)

    other.append(REPLY, 2, "text")
    view = other.read(REPLY, 0)
    assert view is not None
    assert (view.text, view.status, view.is_ended) == ("a long text", None, False)
    assert {
        entry[0].partition("-")[0] for entry in link.redis.xrange("vl:reply:" + str(REPLY))
    } == {"2"}


def test_an_attempt_that_comes_too_late_cannot_even_start(
    link: RedisLink, log: RedisReplyLog
) -> None:
    RedisReplyLog(link).start(REPLY, 2, "")

    with pytest.raises(StaleAttemptError):
        log.start(REPLY, 1, "stale")


def test_a_takeover_after_the_end_of_the_old_attempt_begins_anew(
    link: RedisLink, log: RedisReplyLog
) -> None:
    log.start(REPLY, 1, "")
    log.append(REPLY, 1, "given back")
    log.end(REPLY, 1)

    other = RedisReplyLog(link)
    other.start(REPLY, 2, "given ")

    view = other.read(REPLY, 0)
    assert view is not None
    assert (view.text, view.is_ended) == ("given ", False)
    assert link.redis.ttl(f"vl:reply:{REPLY}") > 3600


def test_after_flushall_the_writer_goes_on_from_what_it_holds(
    redis_server: RedisServer, log: RedisReplyLog
) -> None:
    log.start(REPLY, 1, "")
    log.append(REPLY, 1, "before ")
    log.set_status(REPLY, 1, {"stage": "decode"})
    redis_server.flush()
    lost = log.read(REPLY, 0)

    log.append(REPLY, 1, "after")

    view = log.read(REPLY, 0)
    assert lost is None
    assert view is not None
    assert (view.text, view.status) == ("before after", {"stage": "decode"})


def test_after_a_restart_of_redis_the_writer_goes_on_from_what_it_holds(
    redis_server: RedisServer, log: RedisReplyLog
) -> None:
    log.start(REPLY, 1, "")
    log.append(REPLY, 1, "before ")
    redis_server.stop()
    try:
        offset = log.append(REPLY, 1, "meanwhile ")
        log.set_status(REPLY, 1, {"stage": "decode"})
        unread = log.read(REPLY, 0)
    finally:
        redis_server.start()
    log.append(REPLY, 1, "after")

    assert (offset, unread) == (7, None)
    assert text_of(log) == "before meanwhile after"


def test_what_was_lost_at_the_very_end_is_written_by_the_end(
    redis_server: RedisServer, log: RedisReplyLog
) -> None:
    log.start(REPLY, 1, "")
    redis_server.stop()
    try:
        log.append(REPLY, 1, "all of it")
    finally:
        redis_server.start()
    log.end(REPLY, 1)

    view = log.read(REPLY, 0)
    assert view is not None
    assert (view.text, view.is_ended) == ("all of it", True)


def test_a_whole_answer_is_written_without_redis() -> None:
    log = RedisReplyLog(RedisLink(f"redis://127.0.0.1:{free_port()}/0"))

    log.start(REPLY, 1, "")
    offsets = [log.append(REPLY, 1, piece) for piece in ("one ", "two ")]
    log.set_status(REPLY, 1, {"stage": "decode"})
    log.end(REPLY, 1)

    assert offsets == [0, 4]
    assert log.read(REPLY, 0) is None


def test_a_piece_whose_answer_was_lost_is_not_doubled(link: RedisLink, log: RedisReplyLog) -> None:
    """Redis took it, and the connection broke before it said so."""
    log.start(REPLY, 1, "")
    link.redis.xadd(f"vl:reply:{REPLY}", {"offset": 0, "text": "once "}, id="1-5")

    log.append(REPLY, 1, "once ")
    log.append(REPLY, 1, "only")

    assert text_of(log) == "once only"


def test_a_text_with_a_hole_is_left_to_the_row(link: RedisLink, log: RedisReplyLog) -> None:
    """A stale writer made the stream anew after FLUSHALL, before the right one came."""
    link.redis.xadd(f"vl:reply:{REPLY}", {"offset": 6, "text": "world"}, id="2-11")

    assert log.read(REPLY, 0) is None
    assert text_of(log, 6) == "world"


def test_the_stream_of_a_long_answer_stays_small(
    link: RedisLink, log: RedisReplyLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_reply_log, "WHOLE_EVERY_PIECES", 10)
    log.start(REPLY, 1, "")
    words = [f"{number} " for number in range(95)]
    for word in words:
        log.append(REPLY, 1, word)

    assert link.redis.xlen(f"vl:reply:{REPLY}") <= 11
    assert text_of(log) == "".join(words)
    assert text_of(log, 17) == "".join(words)[17:]


def test_nothing_is_kept_for_ever(link: RedisLink, log: RedisReplyLog) -> None:
    log.start(REPLY, 1, "")
    log.append(REPLY, 1, "text")
    running = [link.redis.ttl(key) for key in link.redis.scan_iter()]
    log.end(REPLY, 1)
    ended = [link.redis.ttl(key) for key in link.redis.scan_iter()]

    assert all(0 < ttl <= redis_reply_log.RUNNING_S for ttl in running)
    assert all(0 < ttl <= 60 for ttl in ended)


def test_a_writer_elsewhere_is_stopped_by_what_is_forgotten_here(
    link: RedisLink, log: RedisReplyLog
) -> None:
    elsewhere = RedisReplyLog(link)
    elsewhere.start(REPLY, 1, "secret")

    log.forget([REPLY])

    with pytest.raises(StaleAttemptError):
        elsewhere.append(REPLY, 1, "more")
    with pytest.raises(StaleAttemptError):
        elsewhere.start(REPLY, 2, "secret more")


def test_what_is_forgotten_leaves_no_key_behind(link: RedisLink, log: RedisReplyLog) -> None:
    log.start(REPLY, 1, "secret")
    log.set_status(REPLY, 1, {"stage": "decode"})

    log.forget([REPLY])

    keys = list(link.redis.scan_iter())
    assert [link.redis.xrange(key)[0][1] for key in keys] == [{"gone": "1"}] * 2
    assert all(0 < link.redis.ttl(key) <= redis_reply_log.GONE_S < 60 for key in keys)


def test_who_lost_a_reply_makes_nothing_anew(link: RedisLink, log: RedisReplyLog) -> None:
    """A worker that slept until even the mark of what is forgotten was gone."""
    log.start(REPLY, 1, "secret")
    log.append(REPLY, 1, " text")
    link.redis.flushall()

    log.end(REPLY, 1, is_lost=True)

    assert list(link.redis.scan_iter()) == []


def test_forgetting_without_redis_is_no_error() -> None:
    nowhere = RedisLink(f"redis://127.0.0.1:{free_port()}/0", rest_s=0.0)

    RedisReplyLog(nowhere).forget([REPLY])
