"""HTTP as Daphne serves it, with bounds for what comes in and room for what goes out."""

from __future__ import annotations

import functools
import socket
from typing import TYPE_CHECKING, Any

from daphne.http_protocol import WebRequest
from django.conf import settings
from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel

from chat.rate_limits import network_of
from vlsite.proxies import see_through
from vlsite.web_server.flow import Room
from vlsite.web_server.large_bodies import LARGE_BYTES, large_bodies

if TYPE_CHECKING:
    from twisted.python.failure import Failure

# What the kernel holds for a reader that takes nothing; it doubles the number. By itself it takes
# megabytes for each.
SEND_BUFFER_BYTES = 128 * 1024
BODY_GRACE_S = 30.0
BODY_BYTES_PER_S = 16 * 1024  # a body has to come at least this fast on the whole
# An upload somewhat too large is read, so that the refusal can say so in JSON; more is cut off.
BODY_SLACK = 2
# Forms are all that somebody sends who does not even say who they are.
STRANGER_BODY_BYTES = LARGE_BYTES
REFUSAL = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
TOO_LARGE = REFUSAL % b"413 Content Too Large"
TOO_MANY = REFUSAL % b"429 Too Many Requests"


class Request(WebRequest):  # type: ignore[misc]  # Daphne is untyped
    """One request and its answer, with `room` once the answer has begun."""

    room: Room | None = None
    _body_bytes = 0
    _is_refused = False

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, up to what any call accepts."""
        if self._is_refused:
            return
        counted = 0 if self._body_bytes <= LARGE_BYTES else self._body_bytes
        self._body_bytes += len(data)
        if self._body_bytes > self.body_limit:
            self.abort()
            return
        if self._body_bytes > LARGE_BYTES and not large_bodies.arrived(
            self, self._network, self._body_bytes - counted
        ):
            self._is_refused = True
            self.channel.refuse(TOO_MANY)
            return
        super().handleContentChunk(data)

    def process(self) -> None:
        """Hand the request over; a large body waits for its turn."""
        large_bodies.complete(self, super().process)

    @functools.cached_property
    def body_limit(self) -> int:
        """How many bytes the body may have, by what the head says of who calls.

        Whether it is true is not known here; a made-up head finds the application's refusal.
        """
        names_somebody = self.requestHeaders.hasHeader("authorization") or (
            f"{settings.SESSION_COOKIE_NAME}=".encode() in self._headers().get(b"cookie", b"")
        )
        limit: int = BODY_SLACK * settings.VL_UPLOAD_BYTES + 2**20
        return limit if names_somebody else min(limit, STRANGER_BODY_BYTES)

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
        large_bodies.gone(self)

    def connectionLost(self, reason: Failure) -> None:
        """Hear that nobody waits for the answer any more."""
        super().connectionLost(reason)
        large_bodies.gone(self)

    def abort(self) -> None:
        """End the connection at once, whatever waits."""
        if self.channel is not None:
            self.channel.transport.abortConnection()

    def _headers(self) -> dict[bytes, bytes]:
        pairs = self.requestHeaders.getAllRawHeaders()
        return {name.lower(): b", ".join(values) for name, values in pairs}

    @functools.cached_property
    def _network(self) -> str:
        """The client's network, seen through trusted proxies."""
        host = getattr(self.client, "host", "")
        scope = {"client": [host, 0], "headers": list(self._headers().items())}
        return network_of(see_through(scope)["client"][0])


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
        limit_bytes = self.requests[-1].body_limit
        expected_bytes = limit_bytes if self.length is None else self.length  # None: chunked
        self._set_deadline(BODY_GRACE_S + expected_bytes / BODY_BYTES_PER_S)
        super().allHeadersReceived()
        if expected_bytes > limit_bytes:
            self.refuse(TOO_LARGE)

    def allContentReceived(self) -> None:
        """Hand the request over; from here the application takes its time."""
        self._set_deadline(None)
        super().allContentReceived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the deadline."""
        self._set_deadline(None)
        super().connectionLost(reason)

    def refuse(self, answer: bytes) -> None:
        """End the connection with an answer, before the application has heard of a request."""
        self.transport.write(answer)
        self.loseConnection()

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None:
            self._deadline = self.callLater(seconds, self._end_at_deadline)

    def _end_at_deadline(self) -> None:
        self._deadline = None
        self.transport.abortConnection()
