"""`manage.py prepare`: what has to be there before anybody serves, made once."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.server.processes import ADMINISTRATOR, WITH_ADMINISTRATOR, Product, free_port

MADE = f"Created the administrator “{ADMINISTRATOR}”."


def test_an_empty_folder_is_prepared_once(tmp_path: Path) -> None:
    product = Product(tmp_path, WITH_ADMINISTRATOR)

    first, second = (product.run("prepare", "--verbosity", "0") for _ in range(2))

    assert (first.returncode, first.stdout.strip()) == (0, MADE), first.stderr
    assert (second.returncode, second.stdout) == (0, ""), second.stderr
    with sqlite3.connect(tmp_path / "db.sqlite3") as database:
        people = database.execute("SELECT username, is_superuser FROM auth_user").fetchall()
    database.close()
    assert people == [(ADMINISTRATOR, 1)]
    served = json.loads((tmp_path / "static/staticfiles.json").read_text(encoding="utf-8"))
    assert "chat/js/main.js" in served["paths"]


def test_a_step_that_fails_ends_it(tmp_path: Path) -> None:
    nowhere = f"postgres://nobody@127.0.0.1:{free_port()}/none"

    done = Product(tmp_path, {"DATABASE_URL": nowhere}).run("prepare")

    assert done.returncode != 0
    assert "refused" in done.stderr
    assert not (tmp_path / "static/staticfiles.json").exists()
