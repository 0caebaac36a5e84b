"""Rows that are test files: what fails, and what is skipped, does not count as held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attack import suites
from tests.attack.__main__ import SUITES
from tests.attack.suites import ROOT, Suite

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import pytest
def test_held(): pass
def test_lost(): assert False
def test_skipped(): pytest.skip("no browser")
"""


def run(folder: Path, text: str) -> tuple[int, list[str]]:
    file = folder / "test_attack.py"
    file.write_text(text)
    figure = suites.run("row", Suite("goal", (str(file),)))
    return figure.runs, figure.wrong


def test_only_what_held_counts(tmp_path: Path) -> None:
    assert run(tmp_path, TESTS) == (
        3,
        ["test_lost: failure: assert False", "test_skipped: skipped: no browser"],
    )


def test_a_file_that_does_not_load_is_wrong(tmp_path: Path) -> None:
    _, wrong = run(tmp_path, "import no_such_module\n")

    assert wrong


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_a_row_names_tests_that_exist(suite: Suite) -> None:
    assert [path for path in suite.paths if not (ROOT / path.partition("::")[0]).exists()] == []
