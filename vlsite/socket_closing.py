"""Daphne's WebSocket protocol, which may also say that the server restarts."""

from __future__ import annotations

from daphne.ws_protocol import WebSocketProtocol


class ClosingProtocol(WebSocketProtocol):  # type: ignore[misc]  # Daphne is untyped
    """Closes with any code; autobahn keeps those below 3000, 1012 among them, to itself."""

    def serverClose(self, code: int | None = None) -> None:
        """Send the close frame."""
        self.sendCloseFrame(code=1000 if code is None else int(code))
