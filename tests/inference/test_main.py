"""The command line: one question, its answer, honest exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.__main__ import main
from inference.testing import draw_png


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Return a picture file."""
    path = tmp_path / "x.png"
    path.write_bytes(draw_png())
    return path


def test_answer_goes_to_the_output_and_progress_to_the_errors(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["--backend", "scripted", "--image", str(picture), "What is this?"])

    output = capsys.readouterr()
    assert status == 0
    assert "'What is this?'" in output.out
    assert "prefill" in output.err


def test_json_gives_one_line_an_event(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--backend", "scripted", "--image", str(picture), "--json", "What?"])

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "Finished"
    assert events[-1]["finish_reason"] == "stop"


def test_real_model_answers_on_the_command_line(
    tiny_folder: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(tiny_folder), "--threads", "1", "--max-tokens", "4"]

    status = main([*arguments, "--dtype", "fp32", "--image", str(picture), "--json", "Hi"])

    assert status == 0
    assert '"Finished"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "/no/such/folder", "Hi"], "no such folder"),
        (["--backend", "scripted", "--image", "/no/such/picture.png", "Hi"], "picture.png"),
    ],
    ids=["model", "picture"],
)
def test_what_is_missing_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1

    assert said in capsys.readouterr().err


def test_unreadable_picture_fails_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"no picture")

    assert main(["--backend", "scripted", "--image", str(path), "Hi"]) == 1

    assert "image_unreadable" in capsys.readouterr().err
