"""llama.cpp's server is asked and read as its protocol says."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inference.bench.prompts import ask_about, ask_in_text, draw_picture
from inference.bench.worker import Launch, Worker, WorkerError

Start = Callable[[str], Worker]


@pytest.fixture
def start_llama(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts the contestant over a server that makes its answers up."""
    server = tmp_path / "llama-server"
    server.write_text(f'#!/bin/sh\nexec {sys.executable} -m {SERVER} "$@"\n')
    server.chmod(0o755)
    workers: list[Worker] = []

    def start(model: str) -> Worker:
        command = [sys.executable, "-m", "inference.bench.peers.llama_server"]
        command += ["--server", str(server), "--model", model, "--projector", "p.gguf"]
        launch = Launch([*command, "--threads", "1", "--slots", "8"])
        workers.append(Worker("llama", launch, log=tmp_path / "log", threads=1))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


SERVER = "tests.inference.bench.fake_llama_server"


def test_answers_and_figures_are_read_from_the_stream(start_llama: Start, tmp_path: Path) -> None:
    worker = start_llama("model-Q8_0.gguf")

    answers = worker.ask([ask_about(draw_picture(tmp_path, 1)), ask_in_text(1)], 5)

    assert worker.description == "llama.cpp, Q8_0"
    assert [answer.text for answer in answers] == ["image_url text ", "text "]
    assert [answer.prompt_tokens for answer in answers] == [340, 340]
    assert [answer.decode_tokens_per_s for answer in answers] == [9.5, 9.5]
    assert all(0 < answer.first_s <= answer.total_s for answer in answers)


def test_refusal_of_the_server_is_said_and_the_next_question_answered(
    start_llama: Start,
) -> None:
    worker = start_llama("model-Q8_0.gguf")

    with pytest.raises(WorkerError, match="the prompt is too long"):
        worker.ask([ask_in_text(1)], 13)

    assert worker.ask([ask_in_text(1)], 5)[0].tokens == 5


def test_server_ends_when_the_pipe_is_closed(start_llama: Start) -> None:
    worker = start_llama("model-Q8_0.gguf")
    server = os.pidfd_open(worker._ready.pid)

    worker._pipe_in.close()  # all that is left when the benchmark is killed

    ended, _, _ = select.select([server], [], [], 20)
    os.close(server)
    assert ended


def test_server_that_does_not_start_is_said(start_llama: Start) -> None:
    with pytest.raises(WorkerError, match="llama-server ended with 1"):
        start_llama("broken")
