"""What depends on how the database locks: those tests again, with PostgreSQL in SQLite's place."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.documents import ROOT
from vlsite import env

if TYPE_CHECKING:
    from tests.multi.postgres import Postgres

pytestmark = pytest.mark.multi

TESTS = (
    "tests/chat/services/test_account_races.py",
    "tests/chat/services/test_image_races.py",
)


@pytest.mark.parametrize("path", TESTS)
def test_it_holds_on_postgresql(postgres: Postgres, path: str) -> None:
    # Not this run's own: of whoever starts it with xdist, coverage or a seed.
    inherited = {k: v for k, v in env.inherited().items() if not k.startswith(("PYTEST", "COV"))}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path],
        env={**inherited, "DATABASE_URL": postgres.new_url()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    # Passed, all of them, and nothing else.
    assert re.search(r"^\d+ passed in ", done.stdout, re.MULTILINE)
