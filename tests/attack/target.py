"""A server to attack: a process of its own, what an attacker reaches, and what only we can see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from tests.browser.server import ServerProcess
from tests.server.people import Person
from tests.server.processes import resident_mib

UPLOAD_BYTES = 64 * 2**20


class Target:
    """A running server, and a person who is signed in there."""

    def __init__(self, server: ServerProcess) -> None:
        """Sign somebody up."""
        self._server = server
        self._eve = Person(server.url).sign_up("eve")

    @property
    def pid(self) -> int | None:
        """The server's process, while it lives."""
        process = self._server.process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._server.log

    def upload(self, name: str, content: bytes) -> requests.Response:
        """Send a file as a picture."""
        return self._eve.post("/api/images/", files={"file": (name, content, "image/svg+xml")})

    def served(self, image_id: str, size: str) -> requests.Response:
        """Fetch a picture as its owner does."""
        url = f"{self._server.url}/api/images/{image_id}/?size={size}"
        response = self._eve.http.get(url, timeout=20)
        response.raise_for_status()
        return response

    def memory_mib(self) -> float:
        """Tell what the server has in memory, without its children."""
        assert self.pid is not None
        return resident_mib(self.pid)

    def fork_server_pid(self) -> int | None:
        """Find the process that the sandboxes come from."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        threads = Path(f"/proc/{self.pid}/task").glob("*/children")
        children += [child for thread in threads for child in thread.read_text().split()]
        for child in children:
            if b"fork_server" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        return None

    def sandbox_deaths(self) -> int:
        """Count the pictures whose process failed or was killed."""
        return self.log.count("The process of a picture ended with")

    def files_with(self, secret: bytes) -> list[str]:
        """Name what the server keeps that holds these bytes: pictures and database."""
        found = []
        for path in self._server.data.rglob("*"):
            # SQLite makes its own files and takes them away again, meanwhile too.
            with suppress(FileNotFoundError):
                if path.is_file() and path.name != "server.log" and secret in path.read_bytes():
                    found.append(path.name)
        return found


@contextmanager
def running_target(data: Path) -> Iterator[Target]:
    """Start a server with scripted answers; it ends with the block."""
    environment = {
        "VL_BACKEND": "scripted",
        "VL_UPLOAD_BYTES": str(UPLOAD_BYTES),
        # The limits have attacks of their own.
        "VL_PERSON_UPLOADS_PER_MINUTE": "0",
        "VL_ADDRESS_UPLOADS_PER_MINUTE": "0",
    }
    server = ServerProcess(data, environment)
    server.start()
    try:
        yield Target(server)
    finally:
        server.stop()
