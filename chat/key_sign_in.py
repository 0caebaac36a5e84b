"""Signing in by an API key: over HTTP and on a socket, the same header with the same meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser

from chat.database_threads import in_thread
from chat.models import ApiKey
from chat.services import api_keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

KEY_CREDENTIAL = "key:"


def key_in(authorization: str) -> str | None:
    """Give the key that the header's value holds, maybe an empty one; None for another scheme."""
    scheme, _space, text = authorization.strip().partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def credential_of(key: ApiKey) -> str:
    """Name the key for `chat.session_watch`, in the place of a session's key."""
    return f"{KEY_CREDENTIAL}{key.pk}"


class KeySignIn:
    """Signs a handshake in by `Authorization: Bearer`, before any cookie.

    A socket asks and changes, so only a key with the scope `chat` opens one. With a key that opens
    nothing the visitor is a stranger, whatever cookies say.
    """

    def __init__(self, application: Any) -> None:
        """Wrap the application."""
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass the connection on, signed in if it is."""
        text = key_in(dict(scope["headers"]).get(b"authorization", b"").decode("latin1"))
        if text is not None:
            key = await in_thread(api_keys.find)(text)
            scope = {**scope, **_signed_in(key)}
        await self._application(scope, receive, send)


def _signed_in(key: ApiKey | None) -> dict[str, Any]:
    if key is None or key.scope != ApiKey.Scope.CHAT:
        return {"user": AnonymousUser()}
    return {"user": key.owner, "credential": credential_of(key)}
