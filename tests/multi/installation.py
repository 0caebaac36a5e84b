"""An installation of several processes: web instances and workers, one Redis, one PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from tests.server.processes import MANAGE, Product

if TYPE_CHECKING:
    from pathlib import Path

METRICS_TOKEN = "a token of Prometheus"
WORKER = (sys.executable, "-m", "tests.multi.dying_worker")


@dataclass
class Installation:
    """Starts and ends its processes; they share the data folder, Redis and the database."""

    folder: Path
    redis_url: str
    database_url: str
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[Product] = field(default_factory=list)
    workers: list[Product] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Have nobody die, and let every process share everything."""
        self.die_at("")
        self.environment = {
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.database_url,
            "DIE_FILE": str(self.die_file),
            "VL_DATABASE_CONNECTIONS": "12",
            "VL_DRAIN_S": "1",
            **self.environment,
        }

    @property
    def die_file(self) -> Path:
        """Where its workers read when to die; another installation in the folder has its own."""
        return self.folder / f"die-{self.database_url.rpartition('/')[2]}"

    def die_at(self, moment: str) -> None:
        """Let the next first attempt die at that number of tokens, or at `prefill`."""
        self.die_file.write_text(moment, encoding="ascii")

    def new_process(self) -> Product:
        """Prepare a process, not yet started."""
        self.processes.append(Product(self.folder, dict(self.environment)))
        return self.processes[-1]

    def living_workers(self) -> list[Product]:
        """Give the workers that still run."""
        return [each for each in self.workers if each.process and each.process.poll() is None]

    def prepare(self) -> None:
        """Make the tables and the static files."""
        done = self.new_process().run("prepare", "--verbosity", "0")
        assert done.returncode == 0, done.stderr

    def start_web(self) -> Product:
        """Start a web instance, and wait until it listens."""
        web = self.new_process()
        web.start(command=(*MANAGE, "serve"))
        return web

    def start_worker(self, *, until: str = "Worker ready") -> Product:
        """Start a worker, and wait until it would answer."""
        worker = self.new_process()
        self.workers.append(worker)
        worker.begin(WORKER)
        worker.log.wait_for(until)
        return worker

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database from outside; a change gives the rows that it returns."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    def expire_lease(self, reply_id: str) -> None:
        """Let a lost worker's lease run out now instead of within 15 s."""
        assert self.query(
            "UPDATE chat_reply SET lease_until = now() - interval '1 s' "
            "WHERE message_id = %s AND state = 'running' RETURNING 1",
            reply_id,
        )

    def close(self) -> None:
        """Leave nothing running."""
        for process in self.processes:
            process.close()


NewInstallation = Callable[..., AbstractContextManager[Installation]]
"""Makes one for a block; the arguments are the environment of its processes."""
