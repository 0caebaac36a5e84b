"""The server's own parts: deadlines for what comes in, room for what goes out."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from unittest.mock import Mock

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from vlsite.web_server.flow import WAITING_BYTES, Inbound, Room
from vlsite.web_server.http_channel import (
    BODY_BYTES_PER_S,
    BODY_GRACE_S,
    STRANGER_BODY_BYTES,
    Channel,
    Request,
)
from vlsite.web_server.server import PatientServer
from vlsite.web_server.socket_protocol import SocketProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

SOCKET_SCRIPT = Path(__file__).parents[2] / "chat" / "static" / "chat" / "js" / "socket.js"
HEAD_S = 10.0
HEAD = b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n"
SIGNED_IN_HEAD = HEAD.replace(b"Content", b"Cookie: a=b; sessionid=c\r\nContent")


@pytest.fixture(autouse=True)
def head_deadline(settings: SettingsWrapper) -> None:
    """Set how long a request's head may take."""
    settings.VL_REQUEST_HEAD_S = HEAD_S


@pytest.fixture(autouse=True)
def clients() -> Iterator[None]:
    """Close what a test opened."""
    yield
    while Client.opened:
        Client.opened.pop().leave()


class Quiet(Request):
    """A request that is not answered before the test says so."""

    def process(self) -> None:
        """Wait."""


class Client:
    """The other side of one channel, on a clock of its own."""

    opened: ClassVar[list[Client]] = []

    def __init__(self) -> None:
        self.opened.append(self)
        self.clock = Clock()
        self.transport: Any = StringTransport()
        self.transport.getHandle = Mock(return_value=Mock(spec=socket.socket))
        channel: Any = Channel()
        channel.callLater = self.clock.callLater
        channel.timeOut = None
        channel.factory = Mock()
        self.channel = channel
        self.channel.makeConnection(self.transport)
        self.channel.requestFactory = Quiet

    @property
    def is_cut(self) -> bool:
        """Whether the server has ended the connection."""
        return bool(self.transport.disconnected or self.transport.disconnecting)

    def leave(self) -> None:
        """Go away; what came of a body is thrown away."""
        requests = list(self.channel.requests)
        self.channel.connectionLost(Failure(ConnectionDone()))
        for request in requests:
            if request.content is not None:
                request.content.close()

    def drip(self, data: bytes, *, pause_s: float) -> None:
        """Send byte by byte, as long as the connection holds."""
        for position in range(len(data)):
            if self.is_cut:
                return
            self.channel.dataReceived(data[position : position + 1])
            self.clock.advance(pause_s)


def test_a_client_that_says_nothing_is_cut_off() -> None:
    client = Client()
    client.clock.advance(HEAD_S - 0.1)
    was_cut_early = client.is_cut

    client.clock.advance(0.1)

    assert not was_cut_early
    assert client.is_cut


def test_a_head_of_one_byte_a_second_is_cut_off() -> None:
    client = Client()

    client.drip(HEAD % 0, pause_s=1)

    assert client.is_cut
    assert not client.channel.requests


def test_a_later_head_of_one_byte_a_second_is_cut_off_too() -> None:
    client = Client()
    client.channel.dataReceived(HEAD % 0)
    client.channel.requests[0].finish()
    client.clock.advance(5 * HEAD_S)  # idle between two requests, which Twisted bounds
    was_cut_early = client.is_cut

    client.drip(HEAD % 0, pause_s=1)

    assert not was_cut_early
    assert client.is_cut


def test_a_request_that_came_in_time_may_take_long_to_answer() -> None:
    client = Client()
    client.channel.dataReceived(HEAD % 3 + b"abc")

    client.clock.advance(10_000)

    assert not client.is_cut


def test_a_body_of_one_byte_a_second_is_cut_off() -> None:
    client = Client()
    client.channel.dataReceived(HEAD % 1000)

    client.drip(b"x" * 999, pause_s=1)

    assert client.is_cut


def test_a_large_body_may_take_its_time() -> None:
    client = Client()
    size = 100 * BODY_BYTES_PER_S
    client.channel.dataReceived(SIGNED_IN_HEAD % size)
    client.clock.advance(BODY_GRACE_S + 99)
    was_cut = client.is_cut

    client.channel.dataReceived(b"x" * size)
    size_found = client.channel.requests[0].content.seek(0, 2)

    assert not was_cut
    assert size_found == size


@pytest.mark.parametrize(
    ("head", "is_refused"),
    [
        (HEAD, True),
        (SIGNED_IN_HEAD, False),
        (HEAD.replace(b"Content", b"Authorization: Bearer x\r\nContent"), False),
        (HEAD.replace(b"Content", b"Cookie: csrftoken=x\r\nContent"), True),
    ],
)
def test_who_does_not_say_who_they_are_sends_nothing_large(head: bytes, is_refused: bool) -> None:
    client = Client()

    client.channel.dataReceived(head % (STRANGER_BODY_BYTES + 1))

    assert (b" 413 " in client.transport.value()) is is_refused
    assert client.is_cut is is_refused


def test_a_large_body_in_chunks_of_nobody_is_cut_off() -> None:
    client = Client()
    client.channel.dataReceived(
        (HEAD % 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    )

    client.channel.dataReceived(b"%x\r\n%s" % (STRANGER_BODY_BYTES + 1, b"x" * STRANGER_BODY_BYTES))
    was_cut = client.is_cut
    client.channel.dataReceived(b"xx")

    assert not was_cut
    assert client.is_cut


def test_one_address_has_only_so_much_here_at_once(settings: SettingsWrapper) -> None:
    settings.VL_ADDRESS_BODIES_BYTES = 4 * 2**20
    size = 3 * 2**20
    clients = [Client(), Client()]

    for client in clients:
        client.channel.dataReceived(SIGNED_IN_HEAD % size + b"x" * (size - 1))
    clients[1].channel.dataReceived(b"x")

    assert [b" 429 " in client.transport.value() for client in clients] == [False, True]
    assert clients[1].transport.value().count(b" 429 ") == 1
    for client in clients:
        client.leave()
    again = Client()
    again.channel.dataReceived(SIGNED_IN_HEAD % size + b"x" * (size - 1))
    assert not again.is_cut


# Flow ---------------------------------------------------------------------------------------


async def test_who_sends_waits_for_room() -> None:
    room = Room()
    room.pauseProducing()
    waiting = asyncio.create_task(room.wait())
    await asyncio.sleep(0)
    waited = not waiting.done()

    room.resumeProducing()
    await waiting

    assert waited


async def test_nobody_waits_for_a_connection_that_is_gone() -> None:
    room = Room()
    room.pauseProducing()

    room.stopProducing()

    await room.wait()


class Reading:
    """A transport that notes whether it is read."""

    is_paused = False

    def pauseProducing(self) -> None:
        """Read no more."""
        self.is_paused = True

    def resumeProducing(self) -> None:
        """Read on."""
        self.is_paused = False


def test_frames_that_nobody_takes_are_no_longer_read() -> None:
    transport = Reading()
    inbound = Inbound(transport)
    inbound.arrived(WAITING_BYTES)
    was_paused_early = transport.is_paused

    inbound.arrived(1)
    was_paused = transport.is_paused
    inbound.taken(1)

    assert (was_paused_early, was_paused, transport.is_paused) == (False, True, False)


def test_a_socket_may_take_as_long_to_open_as_the_page_waits() -> None:
    """Daphne's own five seconds cut sockets off that all came at once, behind a restart."""
    waits = re.search(r"CONNECT_WITHIN_MS = ([\d_]+);", SOCKET_SCRIPT.read_text(encoding="utf-8"))
    server = PatientServer(Mock(), host="127.0.0.1", port=0, on_ready=Mock())

    assert waits
    assert server.websocket_handshake_timeout * 1000 == int(waits[1])


def test_what_is_sent_after_the_clients_goodbye_is_no_error() -> None:
    """The goodbye is answered at once; the application hears of it a turn of the loop later."""
    protocol = SocketProtocol()
    protocol.state = protocol.STATE_CLOSED
    protocol.client_addr = ["192.0.2.1", 1]

    protocol.handle_reply({"type": "websocket.send", "text": "too late"})
