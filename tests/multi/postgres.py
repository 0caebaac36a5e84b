"""A real PostgreSQL of the tests' own, which can be restarted."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import psycopg

from tests.server.processes import free_port

STARTS_WITHIN_S = 60
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def find_program(name: str) -> str:
    """Find a program of the newest PostgreSQL; Debian keeps them out of the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ["PATH"]]))
    assert found is not None, f"{name} is missing; `make test` installs it"
    return found


class Postgres:
    """One cluster, run by the user postgres where the tests are root, as the server refuses to."""

    def __init__(self, folder: Path) -> None:
        """Make the cluster's files in `folder`, which everybody may pass through."""
        self._data = folder / "cluster"
        self._port = free_port()
        self._numbers = itertools.count(1)
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        self._data.mkdir()
        if self._as_user:
            shutil.chown(self._data, "postgres")
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N")

    def new_url(self, *, like: str = "template1") -> str:
        """Make a database like another one that nobody uses, or an empty one; give its URL."""
        name = f"test{next(self._numbers)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like.rpartition('/')[2]}")
        return self._url(name)

    def start(self) -> None:
        """Start, and wait until it answers."""
        given = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self._data} {given}"
        log = str(self._data / "log")
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """Stop at once, breaking all connections."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user, find_program(program), *arguments],
            cwd=self._data,
            stdout=subprocess.DEVNULL,
            timeout=STARTS_WITHIN_S,
            check=True,
        )
