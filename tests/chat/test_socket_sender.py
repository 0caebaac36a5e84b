"""The sending side of a socket: patient with a slow reader, up to a point."""

from __future__ import annotations

import asyncio

from chat.protocol import CloseCode
from chat.socket_sender import SocketSender


class Reader:
    """A server's `send` that waits while the reader takes nothing."""

    def __init__(self) -> None:
        self.takes = asyncio.Event()
        self.heard: list[str] = []
        self.codes: list[int] = []

    async def send(self, text: str) -> None:
        """Take the text in, then wait."""
        self.heard.append(text)
        await self.takes.wait()

    async def close(self, code: int) -> None:
        """Take the code, which waits for nothing."""
        self.codes.append(code)


def sender_to(reader: Reader, *, stall_s: float) -> SocketSender:
    return SocketSender(reader.send, reader.close, stall_s=stall_s)


async def test_a_reader_that_takes_nothing_is_closed_with_4408_once() -> None:
    reader = Reader()
    sender = sender_to(reader, stall_s=0.01)

    await asyncio.gather(sender.send("a"), sender.send("b"))
    await sender.send("c")

    assert reader.codes == [CloseCode.TOO_SLOW]
    assert reader.heard == ["a", "b"]
    assert not sender.is_waiting


async def test_a_reader_that_takes_it_in_time_stays() -> None:
    reader = Reader()
    sender = sender_to(reader, stall_s=60)
    sending = asyncio.create_task(sender.send("a"))
    await asyncio.sleep(0)
    was_waiting = sender.is_waiting

    reader.takes.set()
    await sending

    assert was_waiting
    assert not sender.is_waiting
    assert reader.codes == []


async def test_a_socket_is_closed_with_the_first_reason() -> None:
    reader = Reader()
    sender = sender_to(reader, stall_s=60)

    await sender.close(CloseCode.RESTARTING)
    await sender.close(CloseCode.SIGNED_OUT)

    assert reader.codes == [CloseCode.RESTARTING]
