"""What every home of the reply log promises, as tests that each home inherits."""

from __future__ import annotations

import hashlib
import threading
import uuid

import pytest

from chat.generation.reply_log import RETENTION_S, LogView, ReplyLog, StaleAttemptError

REPLY = uuid.UUID(int=1)
OTHER = uuid.UUID(int=2)


class ReplyLogContract:
    """What every reply log promises; a home's test class gives `log` and lets time pass."""

    def let_pass(self, log: ReplyLog, seconds: float) -> None:
        """Let time pass for this log."""
        raise NotImplementedError

    def test_what_was_never_started_is_unknown(self, log: ReplyLog) -> None:
        assert log.read(REPLY, 0) is None

    def test_text_is_read_as_it_was_appended(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "")
        offsets = [log.append(REPLY, 1, text) for text in ("红色 ", "🔴", "", "end")]

        assert offsets == [0, 3, 4, 4]
        assert log.read(REPLY, 0) == LogView("红色 🔴end", 7, None, is_ended=False)

    @pytest.mark.parametrize(
        ("offset", "text"),
        [
            pytest.param(0, "abcdef", id="from the start"),
            pytest.param(2, "cdef", id="within a piece"),
            pytest.param(3, "def", id="between two pieces"),
            pytest.param(6, "", id="at the end"),
            pytest.param(99, "", id="beyond the end"),
        ],
    )
    def test_reading_starts_at_any_offset(self, log: ReplyLog, offset: int, text: str) -> None:
        log.start(REPLY, 1, "")
        log.append(REPLY, 1, "abc")
        log.append(REPLY, 1, "def")

        view = log.read(REPLY, offset)

        assert view is not None
        assert (view.text, view.end) == (text, 6)

    def test_reading_twice_gives_the_same(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "a")
        log.append(REPLY, 1, "b")

        assert log.read(REPLY, 0) == log.read(REPLY, 0)

    def test_replies_are_kept_apart(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "one")
        log.start(OTHER, 1, "two")
        log.append(REPLY, 1, "!")

        view = log.read(OTHER, 0)

        assert view is not None
        assert view.text == "two"

    def test_a_later_attempt_begins_with_what_was_kept(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "")
        log.append(REPLY, 1, "kept and lost")

        log.start(REPLY, 2, "kept ")

        assert log.append(REPLY, 2, "again") == 5
        view = log.read(REPLY, 0)
        assert view is not None
        assert view.text == "kept again"

    def test_an_older_attempt_can_neither_start_nor_write(self, log: ReplyLog) -> None:
        log.start(REPLY, 2, "")

        with pytest.raises(StaleAttemptError):
            log.start(REPLY, 1, "stale")
        with pytest.raises(StaleAttemptError):
            log.append(REPLY, 1, "stale")
        with pytest.raises(StaleAttemptError):
            log.set_status(REPLY, 1, {"stage": "decode"})
        assert log.read(REPLY, 0) == LogView("", 0, None, is_ended=False)

    def test_an_attempt_that_never_started_cannot_write(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "")

        with pytest.raises(StaleAttemptError):
            log.append(REPLY, 2, "early")

    def test_an_older_attempt_cannot_end_it(self, log: ReplyLog) -> None:
        log.start(REPLY, 2, "")

        log.end(REPLY, 1)

        assert log.append(REPLY, 2, "goes on") == 0

    def test_after_the_end_nothing_is_written(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "all")
        log.end(REPLY, 1)

        with pytest.raises(StaleAttemptError):
            log.append(REPLY, 1, "more")
        assert log.read(REPLY, 0) == LogView(
            "all", 3, None, is_ended=True, sha256=hashlib.sha256(b"all").hexdigest()
        )

    def test_ending_what_is_unknown_changes_nothing(self, log: ReplyLog) -> None:
        log.end(REPLY, 1)

        assert log.read(REPLY, 0) is None

    def test_the_latest_stage_is_kept_for_those_who_come_later(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "")
        log.set_status(REPLY, 1, {"stage": "vision"})
        log.set_status(REPLY, 1, {"stage": "prefill"})

        view = log.read(REPLY, 0)

        assert view is not None
        assert view.status == {"stage": "prefill"}

    def test_a_later_attempt_has_no_stage_yet(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "")
        log.set_status(REPLY, 1, {"stage": "decode"})

        log.start(REPLY, 2, "")

        view = log.read(REPLY, 0)
        assert view is not None
        assert view.status is None

    def test_an_ended_reply_is_forgotten_after_its_time(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "old")
        log.end(REPLY, 1)
        self.let_pass(log, RETENTION_S + 1)

        log.start(OTHER, 1, "")

        assert log.read(REPLY, 0) is None

    def test_an_ended_reply_is_still_read_within_its_time(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "old")
        log.end(REPLY, 1)
        self.let_pass(log, RETENTION_S - 1)

        log.start(OTHER, 1, "")

        assert log.read(REPLY, 0) is not None

    def test_a_running_reply_is_never_forgotten(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "slow")
        self.let_pass(log, 100 * RETENTION_S)

        log.start(OTHER, 1, "")

        assert log.read(REPLY, 0) is not None

    def test_a_reader_beside_a_writer_always_sees_a_prefix(self, log: ReplyLog) -> None:
        pieces = [f"{number} " for number in range(2000)]
        whole = "".join(pieces)
        log.start(REPLY, 1, "")

        def write() -> None:
            for piece in pieces:
                log.append(REPLY, 1, piece)
            log.end(REPLY, 1)

        writer = threading.Thread(target=write)
        writer.start()
        read, is_ended = "", False
        while not is_ended:
            view = log.read(REPLY, len(read))
            assert view is not None
            read, is_ended = read + view.text, view.is_ended
            assert whole.startswith(read)
        writer.join(10)

        assert read == whole

    def test_writers_of_many_threads_lose_nothing(self, log: ReplyLog) -> None:
        replies = [uuid.UUID(int=number) for number in range(8)]

        def write(reply_id: uuid.UUID) -> None:
            log.start(reply_id, 1, "")
            for _ in range(500):
                log.append(reply_id, 1, "x")

        threads = [threading.Thread(target=write, args=(reply_id,)) for reply_id in replies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        views = [log.read(reply_id, 0) for reply_id in replies]
        assert [view and view.end for view in views] == [500] * 8

    def test_what_is_forgotten_is_gone(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "secret")
        log.start(OTHER, 1, "kept")

        log.forget([REPLY])

        assert log.read(REPLY, 0) is None
        other = log.read(OTHER, 0)
        assert other is not None
        assert other.text == "kept"

    def test_who_writes_what_is_forgotten_is_stopped(self, log: ReplyLog) -> None:
        log.start(REPLY, 1, "secret")
        log.forget([REPLY])

        with pytest.raises(StaleAttemptError):
            log.append(REPLY, 1, "more")
        with pytest.raises(StaleAttemptError):
            log.set_status(REPLY, 1, {"stage": "decode"})
        log.end(REPLY, 1)
        assert log.read(REPLY, 0) is None

    def test_who_begins_to_write_what_is_forgotten_is_stopped(self, log: ReplyLog) -> None:
        log.forget([REPLY])

        with pytest.raises(StaleAttemptError):
            log.start(REPLY, 3, "secret")
