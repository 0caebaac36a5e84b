"""Connections that cost something and give nothing: idle, stalled, flooding, half-open, dripping.

Each row looks at one web process from outside: what it closes, and how much memory it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed

from tests.faults.client import Account, ask, receive, send
from tests.faults.figures import Figure, percentile
from tests.server.processes import resident_mib

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.client import ClientConnection

KIB, MIB = 1024, 1024 * 1024
AT_ONCE = 50  # handshakes
PIECE = "x" * 15_000  # of a ping, which is echoed
PIECES = 80  # more than the buffers on the way hold, and no flood
FLOOD_FRAMES = 20_000
STALLED_MIB = 1.0
IDLE_KIB = 100.0
HALF_OPEN_S = 60.0
HEAD_S = 15.0
DRIP_S = 0.2
LOOK_S = 0.2
CLOSE_S = 60.0
TCP_ESTABLISHED = 1
FLOODING = 4429


@dataclass(frozen=True, slots=True)
class Target:
    """One web process: where it listens, and which it is."""

    port: int
    pid: int

    @property
    def memory_bytes(self) -> int:
        """Its resident memory."""
        return int(resident_mib(self.pid) * MIB)


async def idle(account: Account, target: Target, *, sockets: int, pings: int = 200) -> Figure:
    """Open sockets that say nothing; then let each open a conversation, by two queries."""
    async with account.connect(target.port) as connection:
        accepted = await ask(connection, "words=3")
        conversation = accepted["conversation"]
        # Ended, so that nobody follows it: a process without a model would let it wait.
        await send(connection, type="stop", reply=accepted["reply"])
        await receive(connection, "final")
    began_bytes = target.memory_bytes
    async with contextlib.AsyncExitStack() as stack:
        connections = await _connect(account, target, sockets, stack)
        idle_bytes = target.memory_bytes
        for connection in connections:
            await send(connection, type="open", conversation=conversation)
        for connection in connections:
            await receive(connection, "conversation")
        opened_bytes = target.memory_bytes
        rtt_ms = await _round_trips(connections[0], pings)
    idle_kib = (idle_bytes - began_bytes) / sockets / KIB
    opened_kib = (opened_bytes - began_bytes) / sockets / KIB
    wrong = [f"{opened_kib:.0f} KiB a socket"] if opened_kib > IDLE_KIB else []
    measured = {
        "idle_kib": round(idle_kib, 1),
        "opened_kib": round(opened_kib, 1),
        "ping_p50_ms": round(percentile(rtt_ms, 50), 2),
        "ping_p99_ms": round(percentile(rtt_ms, 99), 2),
    }
    return Figure("idle sockets", f"≤ {IDLE_KIB:g} KiB each", sockets, measured, wrong)


async def stalled(account: Account, target: Target, *, readers: int) -> Figure:
    """Ask for megabytes and read none of them."""
    began_bytes = highest_bytes = target.memory_bytes
    began = monotonic()
    async with contextlib.AsyncExitStack() as stack:
        connections = await _connect(account, target, readers, stack, is_slow=True)
        asking = [asyncio.create_task(_ask_for_much(connection)) for connection in connections]
        while any(map(_is_established, connections)) and monotonic() - began < CLOSE_S:
            highest_bytes = max(highest_bytes, target.memory_bytes)
            await asyncio.sleep(LOOK_S)
        took_s = monotonic() - began
        closed = sum(not _is_established(connection) for connection in connections)
        for connection in connections:
            connection.transport.abort()
        await asyncio.gather(*asking)
    each_mib = (highest_bytes - began_bytes) / readers / MIB
    wrong = [f"{each_mib:.1f} MiB a reader"] if each_mib > STALLED_MIB else []
    if closed < readers:
        wrong.append(f"{readers - closed} still open after {took_s:.0f} s")
    measured = {"each_mib": round(each_mib, 2), "closed": closed, "closed_after_s": round(took_s)}
    goal = f"≤ {STALLED_MIB:g} MiB each, then closed"
    return Figure("readers that take nothing", goal, readers, measured, wrong)


async def flood(account: Account, target: Target) -> Figure:
    """Send frames as fast as they go out."""
    began_bytes = target.memory_bytes
    frame = json.dumps({"type": "ping", "t": "x" * KIB})
    sent = 0
    code = 0
    async with account.connect(target.port) as connection:
        try:
            while sent < FLOOD_FRAMES:
                await connection.send(frame)
                sent += 1
            async with asyncio.timeout(CLOSE_S):
                while True:
                    await connection.recv()
        except (ConnectionClosed, TimeoutError):
            code = connection.close_code or 0
    grown_mib = (target.memory_bytes - began_bytes) / MIB
    wrong = [] if code == FLOODING else [f"closed with {code}"]
    measured = {"sent": sent, "code": code, "grown_mib": round(grown_mib, 1)}
    return Figure("flood of frames", f"closed with {FLOODING}", 1, measured, wrong)


async def half_open(account: Account, target: Target) -> Figure:
    """Answer nothing any more, not even pings, as a machine whose network went away."""
    async with account.connect(target.port) as connection:
        await receive(connection, "info")
        connection.transport.pause_reading()
        took_s = await _time_of(lambda: _is_established(connection), HALF_OPEN_S + LOOK_S)
        connection.transport.abort()
    wrong = [] if took_s <= HALF_OPEN_S else ["it was not cut off"]
    goal = f"cut off ≤ {HALF_OPEN_S:g} s"
    return Figure("half-open socket", goal, 1, {"cut_after_s": round(took_s, 1)}, wrong)


async def drip(target: Target) -> Figure:
    """Send the head of a request byte by byte."""
    began = monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    head = b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 1000
    with contextlib.suppress(OSError):
        for position in range(len(head)):
            writer.write(head[position : position + 1])
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), DRIP_S)
                break
            if monotonic() - began > CLOSE_S:
                break
    took_s = monotonic() - began
    writer.transport.abort()
    wrong = [] if took_s <= HEAD_S else ["it was not cut off in time"]
    goal = f"cut off ≤ {HEAD_S:g} s"
    return Figure("head of a byte at a time", goal, 1, {"cut_after_s": round(took_s, 1)}, wrong)


async def _connect(
    account: Account,
    target: Target,
    count: int,
    stack: contextlib.AsyncExitStack,
    *,
    is_slow: bool = False,
) -> list[ClientConnection]:
    """Open so many sockets, some at a time, each past its `info`."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def connect() -> ClientConnection:
        async with limit:
            options = {"sock": _slow_socket(target.port), "close_timeout": 0} if is_slow else {}
            connection = await stack.enter_async_context(account.connect(target.port, **options))
            await receive(connection, "info")
            return connection

    return list(await asyncio.gather(*(connect() for _ in range(count))))


async def _ask_for_much(connection: ClientConnection) -> None:
    """Read nothing from here on; a server that reads nothing either lets this wait."""
    connection.transport.pause_reading()
    with contextlib.suppress(ConnectionClosed):
        for _ in range(PIECES):
            await send(connection, type="ping", t=PIECE)


def _slow_socket(port: int) -> socket.socket:
    """Connect with a small receive buffer, so that the server notices soon that nobody reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
    connection.connect(("127.0.0.1", port))
    return connection


async def _round_trips(connection: ClientConnection, count: int) -> list[float]:
    taken_ms = []
    for number in range(count):
        began = monotonic()
        await send(connection, type="ping", t=number)
        await receive(connection, "pong")
        taken_ms.append((monotonic() - began) * 1000)
        await asyncio.sleep(1 / 20)  # below what a socket may send in the long run
    return taken_ms


def _is_established(connection: ClientConnection) -> bool:
    """Ask the kernel, since nothing is read here."""
    handle = connection.transport.get_extra_info("socket")
    state: int = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state == TCP_ESTABLISHED


async def _time_of(holds: Callable[[], bool], limit_s: float) -> float:
    """Wait while something holds; give how long it did, in s."""
    began = monotonic()
    while holds() and monotonic() - began < limit_s:
        await asyncio.sleep(LOOK_S)
    return monotonic() - began
