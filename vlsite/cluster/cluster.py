"""A whole installation: two stores, web processes, workers, and a proxy in front of them."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vlsite.cluster.child import Child, NotReadyError
from vlsite.cluster.stores import free_port, postgres_user, prepare_postgres, prepare_redis, program

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
CADDYFILE = ROOT / "vlsite" / "deploy" / "Caddyfile"
MANAGE = (sys.executable, str(ROOT / "manage.py"))
STOP_S = 30.0  # what a process gets to end by itself
READY_S = 120.0
LOOK_S = 0.5  # how often the supervisor looks for processes that died
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # before a process that died is started again
STEADY_S = 60.0  # one that lived so long is started again without much of a pause


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What to run.

    `folder` holds everything that is kept; `environment` is what every process of ours gets, beside
    what this package decides. `serve` and `work` are the commands of web processes and workers.
    """

    folder: Path
    environment: Mapping[str, str]
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    webs: int = 2
    workers: int = 2
    serve: tuple[str, ...] = (*MANAGE, "serve")
    work: tuple[str, ...] = (*MANAGE, "work")
    prepare: tuple[str, ...] = (*MANAGE, "prepare", "--verbosity", "0")

    @property
    def url(self) -> str:
        """Where the proxy is reached on this machine."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}"


@dataclass
class Cluster:
    """The processes of an installation, all started by the thread that calls `start`."""

    installation: Installation
    say: Callable[[str, str], None]
    children: dict[str, Child] = field(default_factory=dict)
    web_ports: dict[str, int] = field(default_factory=dict)
    redis_url: str = ""
    database_url: str = ""
    _pauses_s: dict[str, float] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where people reach it."""
        return self.installation.public_url or self.installation.url

    def named(self, kind: str) -> list[Child]:
        """List the processes of a kind: web or worker."""
        return [each for name, each in self.children.items() if name.startswith(f"{kind}-")]

    def start(self) -> None:
        """Start everything, each kind after what it needs; returns when a question is answered.

        Raises:
            StoreError: a store cannot be prepared.
            NotReadyError: a process ended, or took too long.
        """
        self.installation.folder.mkdir(parents=True, exist_ok=True)
        self._start_all([self._redis(), self._postgres()])
        self._run_to_its_end("prepare", self.installation.prepare)
        self._start_all([*self._webs(), *self._workers(), self._proxy()])
        self._wait_until_served()

    def stop(self) -> list[str]:
        """End everything, what others need last; returns the names of those that needed force."""
        forced = _stop_all([*self.named("web"), *self.named("worker")])
        for name in ("proxy", "postgres", "redis"):
            if name in self.children:
                forced += _stop_all([self.children[name]])
        return forced

    def supervise(self, ending: threading.Event) -> None:
        """Start what died again, until `ending` is set; in the thread that called `start`."""
        while not ending.wait(LOOK_S):
            for child in self.children.values():
                if not child.is_running and not ending.is_set():
                    self._start_again(child, ending)

    def _start_again(self, child: Child, ending: threading.Event) -> None:
        assert child.process is not None  # noqa: S101 - it was started once
        lived_s = time.monotonic() - child.started_at
        last_s = FIRST_PAUSE_S / 2 if lived_s > STEADY_S else self._pauses_s.get(child.name, 0.5)
        pause_s = self._pauses_s[child.name] = min(2 * last_s, LONGEST_PAUSE_S)
        status = child.process.returncode
        self.say("cluster", f"{child.name} ended with {status}; again in {pause_s:g} s")
        if not ending.wait(pause_s):
            child.start()

    def _start_all(self, children: Iterable[Child]) -> None:
        started = list(children)
        for child in started:
            self.children[child.name] = child
            child.start()
        for child in started:
            child.wait_ready(READY_S)

    def _run_to_its_end(self, name: str, command: tuple[str, ...]) -> None:
        child = Child(name, command, self._environment(), "", self.say)
        child.start()
        if not child.wait(READY_S):
            child.kill()
        assert child.process is not None  # noqa: S101 - it was started
        if child.process.returncode:
            raise NotReadyError(f"{' '.join(command)} failed:\n" + "\n".join(child.lines))

    def _redis(self) -> Child:
        command, self.redis_url = prepare_redis(self.installation.folder / "redis", free_port())
        return Child("redis", command, {}, "Ready to accept connections", self.say)

    def _postgres(self) -> Child:
        command, self.database_url = prepare_postgres(
            self.installation.folder / "postgres", free_port()
        )
        return Child(
            "postgres",
            command,
            {},
            "database system is ready to accept connections",
            self.say,
            stop_signal=signal.SIGINT,  # its fast shutdown: does not wait for clients
            user=postgres_user(),
        )

    def _webs(self) -> Iterable[Child]:
        for number in range(1, self.installation.webs + 1):
            name = f"web-{number}"
            self.web_ports[name] = free_port()
            environment = self._environment(VL_PORT=str(self.web_ports[name]))
            yield Child(name, self.installation.serve, environment, "Ready at", self.say)

    def _workers(self) -> Iterable[Child]:
        # Each takes its share of the cores, unless told otherwise.
        threads = str(max(1, (os.cpu_count() or 1) // max(1, self.installation.workers)))
        environment = {"VL_THREADS": threads} | self._environment()
        for number in range(1, self.installation.workers + 1):
            command = self.installation.work
            yield Child(f"worker-{number}", command, environment, "Worker ready", self.say)

    def _proxy(self) -> Child:
        upstreams = " ".join(f"127.0.0.1:{port}" for port in self.web_ports.values())
        kept = self.installation.folder / "proxy"
        kept.mkdir(exist_ok=True)
        environment = {
            "VL_PROXY_SITE": f"http://:{self.installation.port}",
            "VL_PROXY_BIND": self.installation.host,
            "VL_PROXY_UPSTREAMS": upstreams,
            "XDG_DATA_HOME": str(kept),
            "XDG_CONFIG_HOME": str(kept),
            "HOME": str(kept),
        }
        command = (program("caddy"), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile")
        return Child("proxy", command, environment, "serving initial configuration", self.say)

    def _environment(self, **own: str) -> dict[str, str]:
        return {
            **self.installation.environment,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "PYTHONUNBUFFERED": "1",
            "VL_DATA_DIR": str(self.installation.folder),
            "VL_HOST": "127.0.0.1",
            "VL_PUBLIC_URL": self.url,
            "VL_TRUSTED_PROXIES": "loopback",  # our own, which listens to nobody's word
            **own,
        }

    def _wait_until_served(self) -> None:
        """Ask through the proxy, until a web process behind it has heard of a ready worker."""
        url = f"{self.installation.url}/readyz"
        ends_at = time.monotonic() + READY_S
        pause = threading.Event()
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - http
                    said = response.read().decode()
            except OSError as error:
                said = str(error)
            else:
                if json.loads(said)["model"]:
                    return
            if time.monotonic() > ends_at:
                raise NotReadyError(f"{url}: {said}")
            pause.wait(LOOK_S)


def _stop_all(children: list[Child]) -> list[str]:
    """End processes beside each other; returns the names of those that needed force."""
    for child in children:
        child.send_signal(child.stop_signal)
    ends_at = time.monotonic() + STOP_S
    forced = []
    for child in children:
        if not child.wait(max(0.0, ends_at - time.monotonic())):
            child.kill()
            forced.append(child.name)
    return forced
