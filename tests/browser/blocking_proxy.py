"""A proxy as some companies have it: pages and calls pass, WebSockets are refused for a while."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Address:
    """Where a server is reached through the proxy.

    `refused` counts sockets while it `blocks`; `passed` is set once one gets through.
    """

    url: str
    blocks: bool = True
    refused: int = 0
    passed: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def blocking_proxy(target_port: int) -> Iterator[Address]:
    """Listen on a port of its own while the block lasts."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                head = self.request.recv(CHUNK_BYTES)
                is_socket = head.startswith(b"GET /ws/")
                if is_socket and address.blocks:
                    address.refused += 1
                    self.request.sendall(REFUSAL)
                elif head:
                    if is_socket:
                        address.passed.set()
                    _join(self.request, head, target_port)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
    server.daemon_threads = True
    address = Address(f"http://127.0.0.1:{server.server_address[1]}")
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield address
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _join(client: socket.socket, head: bytes, target_port: int) -> None:
    """Carry both ways until one side ends."""
    with socket.create_connection(("127.0.0.1", target_port)) as target:
        target.sendall(head)
        back = threading.Thread(target=_carry, args=(target, client), daemon=True)
        back.start()
        _carry(client, target)
        back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
