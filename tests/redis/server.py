"""A real Redis server of the tests' own, which can be taken away and brought back."""

from __future__ import annotations

import itertools
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError

from tests.server.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STARTS_WITHIN_S = 20.0
DATABASES = 512


class RedisServer:
    """One server without persistence: what it is told is gone when it stops."""

    def __init__(self, folder: Path) -> None:
        """Prepare; `folder` is its working folder."""
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.cycle(range(1, DATABASES))

    def new_url(self) -> str:
        """Name a database of its own for one test."""
        return f"redis://127.0.0.1:{self._port}/{next(self._numbers)}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self._port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--databases", str(DATABASES)),
            ],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        ends_at = time.monotonic() + STARTS_WITHIN_S
        with Redis(port=self._port) as client:
            while True:
                try:
                    client.ping()
                except RedisError:
                    assert time.monotonic() < ends_at, "redis-server does not answer"
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """Stop at once, losing everything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Take connections and answer nothing, within the block."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        """Lose everything and go on serving."""
        with Redis(port=self._port) as client:
            client.flushall()
