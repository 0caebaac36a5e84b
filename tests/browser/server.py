"""A real server process of the tests' own: its port, its data folder, its log."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.server.processes import UNLIMITED, prepare

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 90
STOP_WITHIN_S = 15


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class ServerProcess:
    """Starts, kills and starts again, on the same port and data."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has said so far."""
        path = self.data / "server.log"
        return path.read_text() if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until a question would be answered."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("VL_", "DJANGO_"))}
        environment = inherited | {
            **UNLIMITED,
            "VL_DATA_DIR": str(self.data),
            "VL_PORT": str(self.port),
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }
        prepare(self.data)
        seen = self.log.count("Ready at")
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.browser.scripted_server"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready(seen)

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_WITHIN_S)

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _wait_until_ready(self, seen: int) -> None:
        assert self.process is not None
        deadline = time.monotonic() + READY_WITHIN_S
        while self.log.count("Ready at") == seen or not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not become ready:\n{self.log[-4000:]}")
            time.sleep(0.05)  # the only poll of the suite: a process has no event to wait for

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
