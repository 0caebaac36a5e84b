"""The server's own parts: deadlines for what comes in, room for what goes out."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.http import Request

from vlsite.web_server.flow import WAITING_BYTES, Inbound, Room
from vlsite.web_server.http_channel import BODY_BYTES_PER_S, BODY_GRACE_S, Channel

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

HEAD_S = 10.0
HEAD = b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(autouse=True)
def head_deadline(settings: SettingsWrapper) -> None:
    """Set how long a request's head may take."""
    settings.VL_REQUEST_HEAD_S = HEAD_S


class Quiet(Request):
    """A request that is not answered before the test says so."""

    def process(self) -> None:
        """Wait."""


class Client:
    """The other side of one channel, on a clock of its own."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.transport: Any = StringTransport()
        self.transport.getHandle = Mock(return_value=Mock(spec=socket.socket))
        channel: Any = Channel()
        channel.callLater = self.clock.callLater
        channel.timeOut = None
        self.channel = channel
        self.channel.makeConnection(self.transport)
        self.channel.requestFactory = Quiet

    @property
    def is_cut(self) -> bool:
        """Whether the server has ended the connection."""
        return bool(self.transport.disconnected or self.transport.disconnecting)

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
    client.channel.dataReceived(HEAD % size)
    client.clock.advance(BODY_GRACE_S + 99)
    was_cut = client.is_cut

    client.channel.dataReceived(b"x" * size)
    came = client.channel.requests[0].content
    with came:
        size_found = came.seek(0, 2)

    assert not was_cut
    assert size_found == size


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
