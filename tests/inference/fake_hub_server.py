"""A local server that gives one model folder in the manner of both hubs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHubServer(ThreadingHTTPServer):
    """Serves `folder` as the model `repo`; counts the files that were fetched."""

    daemon_threads = True

    def __init__(self, folder: Path, repo: str) -> None:
        """Listen on a free port of this machine."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.repo = repo
        self.fetched: list[str] = []

    @property
    def url(self) -> str:
        """Return the endpoint."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeHubServer

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output clean."""

    def _answer(self, *, has_body: bool) -> None:
        url = urlsplit(self.path)
        repo, path = self.server.repo, url.path
        if path.startswith(f"/api/models/{repo}/tree/"):
            self._send_json([self._hugging_face_entry(p) for p in self._files()])
        elif path.startswith(f"/api/models/{repo}"):
            self._send_json({"id": repo, "sha": COMMIT, "siblings": []})
        elif path.startswith(f"/{repo}/resolve/"):
            self._send_file(path.rsplit("/", 1)[-1], has_body=has_body)
        elif path == f"/api/v1/models/{repo}/repo/files":
            files = [self._modelscope_entry(p) for p in self._files()]
            self._send_json({"Code": 200, "Success": True, "Data": {"Files": files}})
        elif path == f"/api/v1/models/{repo}/repo":
            self._send_file(parse_qs(url.query)["FilePath"][0], has_body=has_body)
        else:
            self._send(404, b"{}", {"Content-Type": "application/json"}, has_body=has_body)

    def _files(self) -> list[Path]:
        return sorted(self.server.folder.iterdir())

    def _hugging_face_entry(self, path: Path) -> dict[str, object]:
        return {
            "type": "file",
            "path": path.name,
            "size": path.stat().st_size,
            "oid": _git_id(path.read_bytes()),
        }

    def _modelscope_entry(self, path: Path) -> dict[str, object]:
        return {
            "Type": "blob",
            "Path": path.name,
            "Name": path.name,
            "Size": path.stat().st_size,
            "Sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }

    def _send_file(self, name: str, *, has_body: bool) -> None:
        path = self.server.folder / name
        if not path.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, has_body=has_body)
            return
        if has_body:
            self.server.fetched.append(name)
        data = path.read_bytes()
        headers = {"ETag": f'"{_git_id(data)}"', "X-Repo-Commit": COMMIT}
        self._send(200, data, headers, has_body=has_body)

    def _send_json(self, content: object) -> None:
        headers = {"Content-Type": "application/json"}
        self._send(200, json.dumps(content).encode(), headers, has_body=True)

    def _send(self, status: int, data: bytes, headers: dict[str, str], *, has_body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if has_body:
            self.wfile.write(data)


@contextmanager
def serve_model(folder: Path, repo: str) -> Iterator[FakeHubServer]:
    """Serve a folder until the end of the block."""
    server = FakeHubServer(folder, repo)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
