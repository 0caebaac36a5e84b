"""Static files as they are served: hashed, bundled, and our scripts without comments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

from tests.contract.documents import ROOT
from vlsite.staticfiles import Bundles

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


@pytest.mark.parametrize("name", sorted(Bundles.NAMES))
def test_what_pages_name_imports_nothing(collected: Path, name: str) -> None:
    stem, suffix = name.rsplit(".", 1)
    (served,) = collected.glob(f"{stem}.*.{suffix}")

    assert not re.search(r"^@?import\b", served.read_text(encoding="utf-8"), re.MULTILINE)


def test_a_bundle_is_named_by_what_it_holds(collected: Path) -> None:
    """A module has changed, but not the page's own: browsers must not keep the old bundle."""
    (main,) = collected.glob("chat/js/main.*.js")
    (shown,) = collected.glob("chat/css/main.*.css")

    assert "class GroundingParser" in main.read_text(encoding="utf-8")
    assert ".chat-page" in shown.read_text(encoding="utf-8")
    for served in (main, shown):
        bundle = Bundles().open(f"chat/{served.parent.name}/main{served.suffix}").read()
        assert md5(bundle, usedforsecurity=False).hexdigest()[:12] in served.name


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
