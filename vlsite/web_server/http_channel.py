"""HTTP as Daphne serves it, with deadlines for what comes in and room for what goes out."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from daphne.http_protocol import WebRequest
from django.conf import settings
from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel

from vlsite.web_server.flow import Room

if TYPE_CHECKING:
    from twisted.python.failure import Failure

# What the kernel holds for a reader that takes nothing; it doubles the number. By itself it takes
# megabytes for each.
SEND_BUFFER_BYTES = 128 * 1024
BODY_GRACE_S = 30.0
BODY_BYTES_PER_S = 16 * 1024  # a body has to come at least this fast on the whole
# An upload somewhat too large is read, so that the refusal can say so in JSON; more is cut off.
BODY_SLACK = 2
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Request(WebRequest):  # type: ignore[misc]  # Daphne is untyped
    """One request and its answer, with `room` once the answer has begun."""

    room: Room | None = None
    _body_bytes = 0

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, up to what any call accepts."""
        self._body_bytes += len(data)
        if self._body_bytes > _body_limit():
            self.abort()
            return
        super().handleContentChunk(data)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Pass a piece of the answer on."""
        is_over = self.finished or self.channel is None
        if message["type"] == "http.response.start" and self.room is None and not is_over:
            self.room = Room()
            self.registerProducer(self.room, True)
        super().handle_reply(message)

    def finish(self) -> None:
        """End the answer."""
        if self.producer is not None:
            self.unregisterProducer()
        super().finish()

    def abort(self) -> None:
        """End the connection at once, whatever waits."""
        if self.channel is not None:
            self.channel.transport.abortConnection()


class Channel(HTTPChannel):
    """A connection that has to say what it wants within a deadline, and to send it all in another.

    Twisted's own timeout begins anew with each byte.
    """

    transport: Any  # Twisted's interface says less than its transports do
    _deadline: Any = None

    def connectionMade(self) -> None:
        """Expect a request soon."""
        self.requestFactory = Request  # Daphne's factory has set its own
        super().connectionMade()
        handle = self.transport.getHandle()
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._set_deadline(settings.VL_REQUEST_HEAD_S)

    def dataReceived(self, data: bytes) -> None:
        """Expect the rest of what begins here soon."""
        if self._deadline is None and not self.requests:
            self._set_deadline(settings.VL_REQUEST_HEAD_S)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """Expect the body at a moderate pace."""
        expected_bytes = _body_limit() if self.length is None else self.length  # None: chunked
        self._set_deadline(BODY_GRACE_S + expected_bytes / BODY_BYTES_PER_S)
        super().allHeadersReceived()
        if expected_bytes > _body_limit():
            self.transport.write(TOO_LARGE)
            self.loseConnection()

    def allContentReceived(self) -> None:
        """Hand the request over; from here the application takes its time."""
        self._set_deadline(None)
        super().allContentReceived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the deadline."""
        self._set_deadline(None)
        super().connectionLost(reason)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None:
            self._deadline = self.callLater(seconds, self._end_at_deadline)

    def _end_at_deadline(self) -> None:
        self._deadline = None
        self.transport.abortConnection()


def _body_limit() -> int:
    limit: int = BODY_SLACK * settings.VL_UPLOAD_BYTES + 2**20
    return limit
