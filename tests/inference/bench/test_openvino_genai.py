"""OpenVINO GenAI is asked as its pipeline of continuous batches wants to be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from inference.bench.prompts import ask_about, ask_in_text, draw_picture, go_on
from inference.bench.worker import Launch, Worker, WorkerError

PACKAGES = Path(__file__).parent / "fake_packages"


def start(folder: Path, model: str = "model") -> Worker:
    """Start the contestant over a pipeline that only counts."""
    command = [sys.executable, "-m", "inference.bench.peers.openvino_genai", "--threads", "1"]
    launch = Launch([*command, "--model", model], {"PYTHONPATH": str(PACKAGES)})
    return Worker("openvino", launch, log=folder / "log", threads=1)


def test_each_person_gets_all_tokens_and_pictures_of_earlier_turns_are_given_again(
    tmp_path: Path,
) -> None:
    question = ask_about(draw_picture(tmp_path, 1))
    conversations = [go_on(question, "A wall.", "And?"), ask_in_text(1)]

    with start(tmp_path) as worker:
        answers = worker.ask(conversations, 3)

    assert worker.description == "OpenVINO GenAI 0"
    assert [answer.text for answer in answers] == ["0 1 2", "0 1 2"]
    with_picture, without = (answer.prompt_tokens for answer in answers)
    assert with_picture > 300 > without
    assert all(0 < answer.first_s <= answer.total_s for answer in answers)


def test_model_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="cannot read the model"):
        start(tmp_path, "broken")
