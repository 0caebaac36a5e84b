"""Reads what the documents say, so that tests can compare it with the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"`([^`]+)`")


def read(path: str) -> str:
    """Read a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Give what stands under a heading, up to the next one of any level."""
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    return re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Give the cells of every table row, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    bodies = [line for line in lines if not set(line) <= set("|-: ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" |")] for line in bodies]
    heads = [index for index, line in enumerate(lines) if set(line) <= set("|-: ")]
    before_rules = {lines[index - 1] for index in heads}
    return [row for row, line in zip(cells, bodies, strict=True) if line not in before_rules]


def code(cell: str) -> list[str]:
    """Give what a cell sets in code."""
    return CODE.findall(cell)
