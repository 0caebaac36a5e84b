"""The measurement of drafts is called, and its failures are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.bench.drafts import DraftsMissingError, measure_drafts

FAKE = """
import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--model")
parser.add_argument("--threads", type=int)
for name in ("--packed-cache", "--rounds", "--tokens"):
    parser.add_argument(name)
parser.parse_args()
"""


def write_module(folder: Path, monkeypatch: pytest.MonkeyPatch, ending: str, *, name: str) -> str:
    """Write a module that measures nothing and ends so; return its name."""
    (folder / f"{name}.py").write_text(FAKE + ending)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return name


def test_both_ratios_are_taken_from_the_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = 'print("boxes …"); print(json.dumps({"repetitive": 1.9, "prose": 1, "other": 2}))'
    module = write_module(tmp_path, monkeypatch, ending, name="drafts_that_work")

    figures = measure_drafts(tmp_path, 1, tmp_path, rounds=1, tokens=8, module=module)

    assert figures == {"repetitive": 1.9, "prose": 1.0}


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        pytest.param('raise SystemExit("no model")', "failed: no model", id="fails"),
        pytest.param("print(json.dumps({}))", "did not say repetitive and prose", id="lacks both"),
        pytest.param("", "did not say repetitive and prose", id="says nothing"),
    ],
)
def test_module_that_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, words: str
) -> None:
    name = f"drafts_{abs(hash(words + ending))}"
    module = write_module(tmp_path, monkeypatch, ending, name=name)

    with pytest.raises(DraftsMissingError, match=words):
        measure_drafts(tmp_path, 1, tmp_path, rounds=1, tokens=8, module=module)
