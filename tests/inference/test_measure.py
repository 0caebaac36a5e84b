"""The measurement prints its table and one JSON line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.measure import main


def test_figures_of_two_turns_are_printed(
    tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(tiny_folder), "--dtype", "fp32", "--threads", "1"]

    status = main([*arguments, "--tokens", "3"])

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert status == 0
    assert figures["model"] == "tiny"
    assert [turn["completion_tokens"] for turn in figures["turns"]] == [3, 3]
    assert figures["turns"][1]["prompt_tokens"] > figures["turns"][0]["prompt_tokens"]


def test_model_that_does_not_load_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "/no/such/folder"]) == 1

    assert "no such folder" in capsys.readouterr().err
