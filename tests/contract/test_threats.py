"""SECURITY.md: behind every defence stands a test that exists and runs."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.contract.documents import ROOT, code, read, rows

DOCUMENT = read("SECURITY.md")
# Of tables with three cells, those with tests; the other one says who is trusted.
THREATS = [row for row in rows(DOCUMENT) if any("::" in cell for cell in row)]
TESTS = [name for row in THREATS for name in code(row[2])]


@cache
def functions_of(path: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Give the test functions of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)}


def test_no_row_of_the_tables_is_overlooked() -> None:
    assert DOCUMENT.count("| threat | defence | tests |") == 5
    assert len(THREATS) == len(re.findall(r"^\|.*tests/", DOCUMENT, re.M))


@pytest.mark.parametrize("row", THREATS, ids=[row[0] for row in THREATS])
def test_a_threat_has_a_defence_and_tests(row: list[str]) -> None:
    _, defence, tests = row

    assert defence
    assert code(tests)


@pytest.mark.parametrize("name", sorted(set(TESTS)))
def test_a_test_that_is_named_exists_and_is_never_skipped(name: str) -> None:
    path, _, function = name.partition("::")
    assert Path(path).match("test_*.py"), "pytest would not collect it"

    found = functions_of(path)[function]

    assert "skip" not in ast.unparse(found)
    assert not re.search(r"^pytestmark.*skip|allow_module_level|importorskip", read(path), re.M)
    assert not any("slow" in ast.unparse(mark) for mark in found.decorator_list)
