"""The command line: one question, its answer, honest exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.__main__ import main
from inference.model_source import BUNDLED_DEMO_DIR
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


DEMO = ["--backend", "engine", "--model", str(BUNDLED_DEMO_DIR), "--threads", "1", "--offline"]


def test_schema_of_a_file_holds_the_answer(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"enum": ["red", "blue"]}', encoding="utf-8")

    assert main([*DEMO, "--json-schema", str(schema), "--image", str(picture), "Colour?"]) == 0

    assert json.loads(capsys.readouterr().out) in ("red", "blue")


@pytest.mark.parametrize("content", [None, "{", "[]"], ids=["missing", "no JSON", "no object"])
def test_file_that_holds_no_schema_is_named(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = tmp_path / "schema.json"
    if content is not None:
        schema.write_text(content, encoding="utf-8")

    with pytest.raises(SystemExit, match="2"):
        main(["--json-schema", str(schema), "Hi"])

    assert "schema.json" in capsys.readouterr().err


def test_log_probabilities_are_shown_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    main([*DEMO, "--logprobs", "1", "--temperature", "0", "Hello!"])

    output = capsys.readouterr()
    first = repr(output.out[0].encode())[:-1]
    assert any(line.startswith(first) and " of " in line for line in output.err.splitlines())


def test_log_probabilities_are_part_of_the_json_events(capsys: pytest.CaptureFixture[str]) -> None:
    main([*DEMO, "--logprobs", "2", "--json", "Hello!"])

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [token for event in events for token in event.get("logprobs", ())]
    text = b"".join(bytes(token["chosen"]["data"]) for token in told).decode()
    assert text == "".join(event.get("text", "") for event in events)
    assert {len(token["top"]) for token in told} == {2}
