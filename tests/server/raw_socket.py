"""A WebSocket client that can say what no client may: single frames, byte by byte."""

from __future__ import annotations

import base64
import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.server.people import Person

TIMEOUT_S = 20.0
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
FIN = 0x80


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masked: bool = True
) -> bytes:
    """Write one frame; `reserved` are the bits RSV1 (0x40) to RSV3 (0x10)."""
    head = bytes([(FIN if fin else 0) | reserved | opcode])
    mask = os.urandom(4) if masked else b""
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if masked else payload
    return head + length(len(payload), masked=masked) + mask + body


def length(size: int, *, masked: bool = True) -> bytes:
    """Write a frame's length as it stands in its head."""
    bit = 0x80 if masked else 0
    if size < 126:
        return bytes([bit | size])
    if size < 2**16:
        return bytes([bit | 126]) + struct.pack(">H", size)
    return bytes([bit | 127]) + struct.pack(">Q", size)


@dataclass(frozen=True, slots=True)
class Received:
    """One frame of the server's."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        """The code of a close frame."""
        code: int = struct.unpack(">H", self.payload[:2])[0]
        return code


class RawSocket:
    """One connection; use it in a `with` block."""

    def __init__(self, person: Person, *headers: bytes) -> None:
        """Connect and shake hands; `headers` are whole lines in place of a right Origin."""
        host, port = person.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), TIMEOUT_S)
        cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
        lines = [
            b"GET /ws/chat/ HTTP/1.1",
            f"Host: {host}:{port}".encode(),
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)),
            f"Cookie: {cookies}".encode(),
            *(headers or (b"Origin: " + person.url.encode(),)),
        ]
        self._socket.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        self._unread = b""
        head = self._read_until(b"\r\n\r\n")
        self.status = int(head.split()[1]) if head else 0

    def __enter__(self) -> RawSocket:
        """Use it."""
        return self

    def __exit__(self, *error: object) -> None:
        """Go away without a word."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send these bytes as they are."""
        self._socket.sendall(data)

    def receive(self) -> Received | None:
        """Read one frame; None when the connection has ended."""
        head = self._read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack(">H", self._read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._read(8))[0]
        return Received(head[0] & 0x0F, self._read(size))

    def until(self, opcode: int, text: bytes = b"") -> Received:
        """Skip to the next frame of this kind that holds the text."""
        while True:
            received = self.receive()
            assert received is not None, "the server hung up without a word"
            if received.opcode == opcode and text in received.payload:
                return received
            assert received.opcode != CLOSE, f"closed with {received.close_code}"

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._unread:
            piece = self._socket.recv(4096)
            if not piece:
                break
            self._unread += piece
        head, _, self._unread = self._unread.partition(end)
        return head

    def _read(self, size: int) -> bytes:
        while len(self._unread) < size:
            try:
                piece = self._socket.recv(65_536)
            except ConnectionError:
                break
            if not piece:
                break
            self._unread += piece
        found, self._unread = self._unread[:size], self._unread[size:]
        return found
