"""The proxy of docker-compose.yml and `make run-multi`, in front of processes that only say OK."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import requests

from tests.server.processes import Log, free_port
from vlsite.cluster.cluster import CADDYFILE
from vlsite.cluster.stores import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.multi

SOON_S = 1.5
BROKEN_BODY = (
    b"POST /anything HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n"
)


class Fine(BaseHTTPRequestHandler):
    """Says OK to everything, once the body is there."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        """Wait for the body that was promised, and answer."""
        if "Transfer-Encoding" in self.headers:
            self.rfile.readline()
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def web() -> Iterator[int]:
    """Run a process that says OK; give its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@contextmanager
def proxy(folder: Path, *upstreams: int) -> Iterator[int]:
    """Run Caddy as the installation does; give its port."""
    port = free_port()
    environment = {
        **os.environ,
        "VL_PROXY_SITE": f"http://:{port}",
        "VL_PROXY_BIND": "127.0.0.1",
        "VL_PROXY_UPSTREAMS": " ".join(f"127.0.0.1:{upstream}" for upstream in upstreams),
        **dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder)),
    }
    process = subprocess.Popen(
        [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(CADDYFILE)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = Log()
    log.read(process)
    try:
        log.wait_for("serving initial configuration")
        yield port
    finally:
        process.kill()
        process.wait(20)


def test_a_body_that_its_client_broke_shuts_nobody_out(tmp_path: Path) -> None:
    """The only process counted as away for two seconds after it, and everybody waited."""
    with web() as upstream, proxy(tmp_path, upstream) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as stranger:
            stranger.sendall(BROKEN_BODY)
            answered = stranger.recv(100)
        began = monotonic()
        status = requests.post(f"http://127.0.0.1:{port}/", timeout=20).status_code

    assert b" 502 " in answered
    assert status == 200
    assert monotonic() - began < SOON_S


def test_a_process_that_is_gone_costs_nobody_an_answer(tmp_path: Path) -> None:
    with web() as upstream, proxy(tmp_path, free_port(), upstream) as port:
        answers = [requests.get(f"http://127.0.0.1:{port}/", timeout=20) for _ in range(20)]

    assert {answer.status_code for answer in answers} == {200}
