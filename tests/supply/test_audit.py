"""What `make audit` makes of a report."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.supply.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI"}
WEAK = {
    "name": "weak",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}, {"id": "PYSEC-2", "fix_versions": []}],
}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        pytest.param([SOUND], 0, '{"weaknesses": 0, "asked": 1, "not_asked": 0}', id="sound"),
        pytest.param([SOUND, WEAK], 1, "| weak 2.0 | PYSEC-1 | 2.1 |", id="weak"),
        pytest.param([WEAK], 1, "| weak 2.0 | PYSEC-2 | none yet |", id="not-mended-yet"),
        pytest.param([UNKNOWN], 0, "No advisories could be had for 1 of 1", id="unreachable"),
    ],
)
def test_only_weaknesses_fail(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    packages: list[dict[str, Any]],
    status: int,
    said: str,
) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"dependencies": packages, "fixes": []}))
    monkeypatch.setattr(sys, "argv", ["audit", str(report)])

    assert main() == status
    assert said in capsys.readouterr().out
