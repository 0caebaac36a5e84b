"""Rows that are test files of the suite, run in full: how many of their attacks were fended off."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.faults.figures import Figure

ROOT = Path(__file__).parents[2]
MESSAGE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Suite:
    """Test files that attack one thing; `environment` is what makes their long form."""

    goal: str
    paths: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def run(name: str, suite: Suite) -> Figure:
    """Run the tests; each that failed is wrong, and one that was skipped proves nothing."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = (
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:randomly",
            f"--junitxml={report}",
        )
        done = subprocess.run(
            [*command, *suite.paths],
            cwd=ROOT,
            env={**os.environ, **suite.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.exists():
            return Figure(name, suite.goal, 0, {}, [done.stdout[-300:] + done.stderr[-300:]])
        return _figure(name, suite.goal, report)


def _figure(name: str, goal: str, report: Path) -> Figure:
    tests = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - pytest wrote it
    bad = [
        f"{test.get('name')}: {child.tag}: {child.get('message', '')[:MESSAGE_CHARS]}"
        for test in tests
        for child in test
        if child.tag in ("failure", "error", "skipped")
    ]
    return Figure(name, goal, len(tests), {"attacks": len(tests), "not_held": len(bad)}, bad)
