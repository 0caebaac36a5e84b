"""A client that behaves as docs/protocol.md says: it appends by offset, resumes, and checks."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

Frame = dict[str, Any]
AT_WORK = ("vision", "prefill", "decode")
RETRY_S = 0.05
OPEN_TIMEOUT_S = 20.0
# What a person's browser tries again after; anything else is a fault of the test.
LOST = (OSError, EOFError, TimeoutError, WebSocketException)


@dataclass(frozen=True, slots=True)
class Account:
    """Who connects, from which site."""

    origin: str
    cookie: str

    def connect(self, port: int, **options: Any) -> connect:
        """Open a socket to this port of this machine; an `async with` or `await` does it."""
        return connect(
            f"ws://127.0.0.1:{port}/ws/chat/",
            origin=Origin(self.origin),
            additional_headers={"Cookie": self.cookie},
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=None,
            compression=None,
            max_size=None,
            max_queue=None,
            proxy=None,
            **options,
        )


async def send(connection: ClientConnection, **frame: Any) -> None:
    """Send one frame."""
    await connection.send(json.dumps(frame))


async def receive(connection: ClientConnection, *types: str) -> Frame:
    """Skip to the next frame of one of these types."""
    while True:
        frame: Frame = json.loads(await connection.recv())
        if frame["type"] in types:
            return frame


async def ask(connection: ClientConnection, text: str, **fields: Any) -> Frame:
    """Start a turn; give its `accepted`.

    Raises:
        AssertionError: it was refused.
    """
    await send(connection, type="message", text=text, **fields)
    accepted = await receive(connection, "accepted", "error")
    assert accepted["type"] == "accepted", accepted
    return accepted


async def start_turn(account: Account, port: int, text: str, **fields: Any) -> Frame:
    """Ask over a socket of its own, which closes at once; give its `accepted`."""
    async with account.connect(port) as connection:
        return await ask(connection, text, **fields)


@dataclass
class Follower:
    """Shows one reply as a page does, over as many connections as it takes.

    `faults` holds what broke a promise: shown text that changed or is no prefix of the final one,
    an error instead of an end, a checksum that differs. `moments` are those at which a worker was
    seen at work, by text or stage, each with the length of the text shown.
    """

    account: Account
    reply: str
    shown: str = ""
    connections: int = 0
    ends: list[Frame] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    stages: list[Frame] = field(default_factory=list)
    moments: list[tuple[float, int]] = field(default_factory=list)

    @property
    def end(self) -> Frame:
        """The reply's one terminal frame."""
        return self.ends[0]

    async def follow(self, next_port: Callable[[], int]) -> Follower:
        """Connect, and again whenever the connection is lost, until the reply has ended."""
        while not self.ends:
            try:
                async with self.account.connect(next_port()) as connection:
                    self.connections += 1
                    await self.read(connection)
            # Refused while a server starts, a proxy has none, or nobody can be looked up.
            except InvalidHandshake as error:
                if _status(error) not in (None, 500, 502, 503):
                    raise
                await asyncio.sleep(RETRY_S)
            except LOST:
                await asyncio.sleep(RETRY_S)
        self._check_end()
        return self

    async def read(self, connection: ClientConnection, *, until: int | None = None) -> None:
        """Resume behind what is shown; take what comes to the end, or `until` an offset."""
        await send(connection, type="resume", reply=self.reply, offset=len(self.shown))
        while not self.ends and (until is None or len(self.shown) < until):
            frame = json.loads(await connection.recv())
            if frame.get("reply") == self.reply:
                await self._take(connection, frame)

    async def _take(self, connection: ClientConnection, frame: Frame) -> None:
        if frame["type"] in ("final", "error"):
            self.ends.append(frame)
        elif frame["type"] == "status":
            self.stages.append(frame)
            if frame["stage"] in AT_WORK:
                self.moments.append((monotonic(), len(self.shown)))
        elif frame["type"] == "partial":
            if frame["offset"] > len(self.shown):  # frames were lost: the protocol's own way out
                await send(connection, type="resume", reply=self.reply, offset=len(self.shown))
                return
            self._append(frame)

    def _append(self, frame: Frame) -> None:
        known = self.shown[frame["offset"] :]
        content: str = frame["content"]
        if not content.startswith(known[: len(content)]):
            self.faults.append(f"text at {frame['offset']} changed")
        if len(content) > len(known):
            self.shown = self.shown[: frame["offset"]] + content
            self.moments.append((monotonic(), len(self.shown)))

    def _check_end(self) -> None:
        if self.end["type"] == "error":
            self.faults.append(f"it failed: {self.end.get('code')}")
            return
        content: str = self.end["content"]
        if not content.startswith(self.shown):
            self.faults.append("what was shown is no prefix of the final text")
        if hashlib.sha256(content.encode()).hexdigest() != self.end["sha256"]:
            self.faults.append("the checksum differs")


def _status(error: InvalidHandshake) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)
