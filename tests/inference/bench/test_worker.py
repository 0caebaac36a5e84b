"""A contestant's process is asked, weighed and ended, and its failures are said."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.bench.wire import Line
from inference.bench.worker import Launch, Worker, WorkerError

QUESTION = (Line("user", "What is this?"),)
Start = Callable[[str], Worker]


def test_answers_come_in_the_order_of_the_questions(start_worker: Start) -> None:
    other = (Line("user", "And that?", "picture.png"),)

    answers = start_worker("").ask([QUESTION, other], 3)

    assert [answer.text for answer in answers] == ["What is this?", "And that?"]
    assert [answer.tokens for answer in answers] == [3, 3]


def test_what_libraries_print_is_not_taken_for_an_answer(
    start_worker: Start, tmp_path: Path
) -> None:
    worker = start_worker("")

    assert worker.description == "a fake"
    worker.close()
    assert "a library prints this" in (tmp_path / "fake.log").read_text()


def test_contestant_is_weighed_by_its_most_resident_memory(start_worker: Start) -> None:
    assert start_worker("").peak_bytes() > 1_000_000


def test_contestant_that_does_not_start_is_reported_with_its_last_words(
    start_worker: Start,
) -> None:
    with pytest.raises(WorkerError, match="there is no model"):
        start_worker("dies-at-start")


def test_contestant_that_dies_is_reported_with_its_last_words(start_worker: Start) -> None:
    worker = start_worker("dies-at-once")

    with pytest.raises(WorkerError, match="out of memory"):
        worker.ask([QUESTION], 1)


def test_dead_contestant_can_neither_be_asked_nor_weighed(start_worker: Start) -> None:
    worker = start_worker("dies-at-once")
    with pytest.raises(WorkerError):
        worker.ask([QUESTION], 1)
    worker.close()

    with pytest.raises(WorkerError):
        worker.peak_bytes()


def test_contestant_that_fails_once_can_be_asked_again(start_worker: Start) -> None:
    worker = start_worker("raises")

    for _ in range(2):
        with pytest.raises(WorkerError, match="ValueError: this picture is too large"):
            worker.ask([QUESTION], 1)


def test_answer_with_fewer_tokens_than_asked_does_not_count(start_worker: Start) -> None:
    with pytest.raises(WorkerError, match=r"asked for 1 x 4 tokens, got \[3\]"):
        start_worker("is-short").ask([QUESTION], 4)


def test_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="No such file"):
        Worker("none", Launch(["/no/such/program"]), log=tmp_path / "log", threads=1)


def test_program_that_says_something_else_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="expected a line that says ready"):
        Worker("echo", Launch(["echo", "{}"]), log=tmp_path / "log", threads=1)


def test_server_of_a_contestant_ends_with_it(start_worker: Start) -> None:
    worker = start_worker("has-a-server")
    server = os.pidfd_open(worker._ready.pid)

    worker.close()

    ended, _, _ = select.select([server], [], [], 20)
    os.close(server)
    assert ended
