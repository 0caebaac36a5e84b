"""An installation with many instances under test: whom to ask, what the rows say, what to break."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.faults.client import Account
from tests.server.people import Person
from tests.server.processes import UNLIMITED
from vlsite.cluster.child import Child
from vlsite.cluster.cluster import Cluster, Installation
from vlsite.cluster.stores import free_port

SCRIPTED = (sys.executable, "-m", "tests.faults.scripted")
ROOT = Path(__file__).parents[2]
READY_S = 60.0
STOP_S = 30.0


def account_of(person: Person) -> Account:
    """Give what a signed-in person's sockets need."""
    cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
    return Account(person.url, cookies)


@dataclass
class Site:
    """Two web processes and two workers with scripted answers, behind the proxy."""

    cluster: Cluster
    log: deque[str]
    # A process ends with the thread that started it, so this one lives as long as the site.
    _starter: ThreadPoolExecutor

    @property
    def ports(self) -> list[int]:
        """The web processes' own ports."""
        return list(self.cluster.web_ports.values())

    @property
    def proxy_port(self) -> int:
        """The proxy's port."""
        return self.cluster.installation.port

    @property
    def slots(self) -> int:
        """How many replies all workers write at once."""
        return sum(int(each.environment["VL_SLOTS"]) for each in self.cluster.named("worker"))

    def new_account(self) -> Account:
        """Sign somebody up, through the proxy."""
        return account_of(Person(self.cluster.url).sign_up("person"))

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database, beside the product."""
        with psycopg.connect(self.cluster.database_url, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    def writer_of(self, reply: str) -> Child | None:
        """Find the worker that holds this reply's lease; None while nobody does."""
        ((owner,),) = self.rows("SELECT lease_owner FROM chat_reply WHERE message_id = %s", reply)
        if not owner:
            return None
        assert owner.startswith(socket.gethostname()[:60])
        pid = int(owner.split(":")[-2])
        workers = self.cluster.named("worker")
        return next((each for each in workers if each.process and each.process.pid == pid), None)

    def start(self, child: Child) -> None:
        """Start a process that ended; call it from any thread."""
        self._starter.submit(child.start).result()

    def kill(self, child: Child) -> None:
        """End a process without a chance to say goodbye, and start it again at once."""
        child.kill()
        self.start(child)

    def restart(self, child: Child) -> float:
        """End a process gracefully and start it again; returns how long its end took, in s."""
        assert child.process is not None
        began = os.times().elapsed
        forced = child.stop(STOP_S)
        took_s = os.times().elapsed - began
        assert not forced, f"{child.name} needed force: {child.lines[-5:]}"
        self.start(child)
        child.wait_ready(READY_S)
        return took_s

    def set_slots(self, slots: int) -> None:
        """Start the workers again with so many slots each."""
        for child in self.cluster.named("worker"):
            child.stop(STOP_S)
            child.environment = {**child.environment, "VL_SLOTS": str(slots)}
            self.start(child)
        for child in self.cluster.named("worker"):
            child.wait_ready(READY_S)


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Run an installation of its own in this folder; nothing of it is left afterwards."""
    log: deque[str] = deque(maxlen=2000)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VL_", "DJANGO_", "HF_"))
    }
    installation = Installation(
        folder=folder,
        environment=inherited
        | UNLIMITED
        | {
            "VL_BACKEND": "scripted",
            "VL_SLOTS": "8",
            "VL_QUEUE_REPLIES": "1000",
            "VL_DRAIN_S": "2",
            "VL_SOCKET_FRAMES_PER_S": "300",  # `repeats` is quicker than people
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": str(ROOT),
        },
        port=free_port(),
        serve=(*SCRIPTED, "serve"),
        work=(*SCRIPTED, "work"),
    )
    cluster = Cluster(installation, lambda name, line: log.append(f"{name}: {line}"))
    with ThreadPoolExecutor(max_workers=1) as starter:
        try:
            starter.submit(cluster.start).result()
            yield Site(cluster, log, starter)
        finally:
            for child in cluster.children.values():
                if child.is_running:
                    child.send_signal(signal.SIGCONT)  # one that a scenario stopped could not end
            cluster.stop()
