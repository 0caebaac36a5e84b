"""Static files as they are served: hashed, their imports too, and our modules without comments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = ROOT / "chat/static/chat/js"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collect all static files, as a start does, into a data folder of their own."""
    folder = tmp_path_factory.mktemp("data")
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "VL_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "vlsite.settings"},
        check=True,
        timeout=120,
    )
    return folder / "static"


@pytest.fixture
def scripts(collected: Path) -> dict[str, str]:
    """Give our modules by their served names."""
    found = (collected / "chat/js").glob("*.*.js")
    return {path.name: path.read_text(encoding="utf-8") for path in found}


def test_every_import_names_a_served_module(scripts: dict[str, str]) -> None:
    assert len(scripts) == len(list(SCRIPTS.glob("*.js")))
    for script in scripts.values():
        for name in re.findall(r"""(?:from|import)\s*\(?["']\./([^"']+)["']""", script):
            assert name in scripts


def test_modules_are_served_without_comments(scripts: dict[str, str]) -> None:
    source = (SCRIPTS / "grounding.js").read_text(encoding="utf-8")
    (served,) = (text for name, text in scripts.items() if name.startswith("grounding."))

    assert "/**" in source
    assert "/**" not in served
    assert "export class GroundingParser" in served
    assert len(served) < len(source) * 0.7


def test_other_peoples_files_are_served_as_they_are(collected: Path) -> None:
    served = (collected / "admin/js/core.js").read_text(encoding="utf-8")

    assert "// Core JavaScript helper functions" in served
