"""The server that `manage.py serve` runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from daphne.server import Server
from django.conf import settings

from vlsite.web_server.http_channel import Channel
from vlsite.web_server.socket_protocol import SocketProtocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Application = Callable[..., Awaitable[None]]

INBOUND = "vlsite.inbound"
PING_INTERVAL_S = 20
PING_TIMEOUT_S = 30
# As long as the page waits. After a restart all sockets come at once; who is cut off comes again.
HANDSHAKE_TIMEOUT_S = 15
CLOSE_TIMEOUT_S = 5  # for a reader to take what waits, and to learn why it is closed
NO_TIMEOUT = -1
BODY_FRAME_BYTES = 256 * 1024  # by Daphne's own 8 KiB a large body took a second of the processor


class PatientServer(Server):  # type: ignore[misc]  # Daphne is untyped
    """Daphne whose `send` waits until the connection takes more, as ASGI means it.

    A reader of HTTP that takes nothing for `VL_SOCKET_STALL_S` is cut off here; a socket's consumer
    closes it by itself, with a code.
    """

    def __init__(
        self, application: Application, *, host: str, port: int, on_ready: Callable[[], None]
    ) -> None:
        """Prepare; `on_ready` is called when the event loop is about to run."""
        super().__init__(
            application=_in_step(application),
            endpoints=[f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"],
            websocket_timeout=NO_TIMEOUT,
            websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            server_name="",
            request_buffer_size=BODY_FRAME_BYTES,
            signal_handlers=False,  # Daphne's cancel everything at once
            ready_callable=self._prepare,
        )
        self._on_ready = on_ready

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Begin a connection; a socket's scope carries what counts its frames."""
        if isinstance(protocol, SocketProtocol):
            scope[INBOUND] = protocol.inbound
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Send, and wait until there is room for more."""
        await super().handle_reply(protocol, message)
        if message["type"] == "websocket.send":
            await protocol.room.wait()
        elif message["type"] == "http.response.body" and protocol.room is not None:
            try:
                async with asyncio.timeout(settings.VL_SOCKET_STALL_S):
                    await protocol.room.wait()
            except TimeoutError:
                protocol.abort()

    def _prepare(self) -> None:
        """Put our protocols in the place of those that Daphne's factories make."""
        self.http_factory.protocol = Channel
        self.ws_factory.protocol = SocketProtocol
        self.ws_factory.setProtocolOptions(
            failByDrop=False,  # a frame over the limit earns 1009 instead of a dropped connection
            allowNullOrigin=True,  # Daphne's own; vlsite.origins judges origins, `null` too
            closeHandshakeTimeout=CLOSE_TIMEOUT_S,
        )
        self._on_ready()


def _in_step(application: Application) -> Application:
    """Let a connection know which of its frames the application has taken."""

    async def in_step(scope: dict[str, Any], receive: Any, send: Any) -> None:
        inbound = scope.pop(INBOUND, None)

        async def take() -> dict[str, Any]:
            message: dict[str, Any] = await receive()
            content = message.get("text") or message.get("bytes")
            if content:
                inbound.taken(len(content.encode() if isinstance(content, str) else content))
            return message

        await application(scope, receive if inbound is None else take, send)

    return in_step
