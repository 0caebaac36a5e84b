"""Daphne's WebSocket protocol: any close code, bounded memory in both directions."""

from __future__ import annotations

from contextlib import suppress

from autobahn.exception import Disconnected
from daphne.ws_protocol import WebSocketProtocol

from vlsite.web_server.flow import Inbound, Room


class SocketProtocol(WebSocketProtocol):  # type: ignore[misc]  # Daphne is untyped
    """One WebSocket; `room` and `inbound` are there once it is connected."""

    def connectionMade(self) -> None:
        """Take the connection over from the HTTP channel that upgraded it."""
        super().connectionMade()
        self.room = Room()
        self.inbound = Inbound(self.transport)
        self.transport.unregisterProducer()  # the channel, which knows nothing of frames
        self.transport.registerProducer(self.room, True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Queue a frame for the application."""
        self.inbound.arrived(len(payload))
        super().onMessage(payload, isBinary)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Send a message; what comes after the client's goodbye is nobody's, and no error."""
        with suppress(Disconnected):
            super().serverSend(content, binary)

    def serverClose(self, code: int | None = None) -> None:
        """Send the close frame; autobahn keeps codes below 3000, 1012 among them, to itself."""
        self.sendCloseFrame(code=1000 if code is None else int(code))

    def abort(self) -> None:
        """End it at once, whatever waits."""
        self.dropConnection(abort=True)
