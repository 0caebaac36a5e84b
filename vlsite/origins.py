"""Which pages may open a socket."""

from __future__ import annotations

from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings


class ExactOriginValidator:
    """Refuse (HTTP 403) a handshake whose Origin is not, to the letter, one of VL_ORIGINS.

    A browser always sends the header, so a handshake without it is no page's doing and is let
    through to the sign-in check. Channels' own validator compares parsed hosts and ports and
    refuses such clients.
    """

    def __init__(self, application: Any) -> None:
        """Wrap the application."""
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the connection on, or deny it."""
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        allowed = [origin.encode("ascii") for origin in settings.VL_ORIGINS]
        is_allowed = len(origins) <= 1 and all(origin in allowed for origin in origins)
        answering: Any = self.application if is_allowed else WebsocketDenier()
        await answering(scope, receive, send)
