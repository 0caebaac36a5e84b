"""A TCP proxy that fails on purpose: it cuts and splits what a server sends.

It knows of WebSockets only where one frame from the server ends, so that a connection can be cut
at every event boundary, or some bytes behind it. What clients send passes as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one connection; nothing by default.

    `cut_after_frames` frames from the server pass, then `cut_after_bytes` of the next, then the
    connection is reset. `split_bytes` hands everything on in pieces of that size.
    """

    cut_after_frames: int | None = None
    cut_after_bytes: int = 0
    split_bytes: int = CHUNK_BYTES


class FrameEnds:
    """Finds where frames from a server end, in a stream that begins with the handshake's answer."""

    def __init__(self) -> None:
        """Expect the answer's head."""
        self.frames = 0
        self._is_head = True
        self._seen = b""
        self._body_left = 0

    def advance(self, data: bytes) -> list[int]:
        """Read on; return the positions in `data` behind each frame that ends there."""
        ends = []
        position = 0
        while position < len(data):
            if self._body_left:
                taken = min(self._body_left, len(data) - position)
                self._body_left -= taken
                position += taken
                if self._body_left == 0:
                    ends.append(position)
            else:
                self._seen += data[position : position + 1]
                position += 1
                if self._read_head():
                    ends.append(position)
        self.frames += len(ends)
        return ends

    def _read_head(self) -> bool:
        """Look whether a head is complete; say whether an empty frame ended with it."""
        if self._is_head:
            if self._seen.endswith(HEAD_END):
                self._is_head, self._seen = False, b""
            return False
        length = _frame_length(self._seen)
        if length is None:
            return False
        self._seen, self._body_left = b"", length
        return length == 0


def _frame_length(head: bytes) -> int | None:
    """Give the length of an unmasked frame's body, None while its head is incomplete (RFC 6455)."""
    if len(head) < 2:
        return None
    short = head[1] & 0x7F
    extra = {126: 2, 127: 8}.get(short, 0)
    if len(head) < 2 + extra:
        return None
    return int.from_bytes(head[2:], "big") if extra else short


class Cut:
    """Lets a stream pass up to the place where its plan cuts it."""

    def __init__(self, plan: Plan) -> None:
        """Begin before the handshake's answer."""
        self._plan = plan
        self._ends = FrameEnds()
        # How many bytes pass yet, once the frames before the cut have.
        self._bytes_left = plan.cut_after_bytes if plan.cut_after_frames == 0 else None

    @property
    def is_reached(self) -> bool:
        """Whether nothing more may pass."""
        return self._bytes_left is not None and self._bytes_left <= 0

    @property
    def frames(self) -> int:
        """After how many frames the plan cuts; 0 where it does not."""
        return self._plan.cut_after_frames or 0

    def passing(self, data: bytes) -> bytes:
        """Give what may pass of the next bytes."""
        if self._plan.cut_after_frames is None:
            return data
        if self._bytes_left is None:
            missing = self._plan.cut_after_frames - self._ends.frames
            found = self._ends.advance(data)
            if len(found) < missing:
                return data
            self._bytes_left = found[missing - 1] + self._plan.cut_after_bytes
        passed = data[: self._bytes_left]
        self._bytes_left -= len(passed)
        return passed


@dataclass
class TcpProxy:
    """Listens on a port of its own, inside `async with`; each connection asks for its plan."""

    target_port: int
    next_plan: Callable[[], Plan] = Plan
    port: int = 0
    cut_after: list[int] = field(default_factory=list)  # how many frames had passed at each cut
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> TcpProxy:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Cut everything that is left, and wait until it is gone."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        plan = self.next_plan()
        # A cut connection, or one that the server refused, ends here: that is what a proxy is for.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            try:
                await self._join(plan, (reader, writer), (far_reader, far_writer))
            finally:
                for each in (writer, far_writer):
                    each.transport.abort()
        self._tasks.discard(task)

    async def _join(
        self,
        plan: Plan,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Carry both ways until one of them ends."""
        ways = [
            asyncio.create_task(_carry(client[0], server[1])),
            asyncio.create_task(self._carry_back(plan, server[0], client[1])),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry_back(
        self, plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        cut = Cut(plan)
        while data := await reader.read(CHUNK_BYTES):
            passed = cut.passing(data)
            await _write_split(writer, passed, plan.split_bytes)
            if cut.is_reached:
                self.cut_after.append(cut.frames)
                return


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


async def _write_split(writer: asyncio.StreamWriter, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        writer.write(data[start : start + size])
        await writer.drain()
