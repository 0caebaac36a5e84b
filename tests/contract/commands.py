"""Runs commands that the documents give, as an operator would type them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.contract.documents import ROOT, section

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def commands_under(document: str, heading: str) -> str:
    """Give the shell commands under a heading, as one script."""
    blocks = BLOCK.findall(section(document, heading))
    assert blocks, f"there are no commands under {heading!r}"
    return "set -eu\n" + "".join(blocks)


def run_commands(script: str, folder: Path, programs: Path | None, **environment: str) -> None:
    """Run a script in a folder that looks like the project's: `.venv` and manage.py are there."""
    for name, target in {".venv": Path(sys.prefix), "manage.py": ROOT / "manage.py"}.items():
        if not (folder / name).exists():
            (folder / name).symlink_to(target)
    path = os.environ["PATH"] if programs is None else f"{programs}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
