"""Who really calls, when a proxy stands in between; believed only from VL_TRUSTED_PROXIES.

Everything behind this reads the client's address where ASGI has it (`scope["client"]`, Django's
REMOTE_ADDR) and needs to know nothing of proxies: allauth's limits, ours, the session list.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, TypeAlias

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers: TypeAlias = "list[tuple[bytes, bytes]]"
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
FOR, PROTO = b"x-forwarded-for", b"x-forwarded-proto"
# Nothing reads the others; they are dropped so that nothing ever does by mistake.
FORWARDED = {
    FOR, PROTO, b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip", b"forwarded",
    b"daphne-root-path",
}  # fmt: skip


class TrustedProxies:
    """ASGI middleware that puts the true client in the place of trusted proxies."""

    def __init__(self, application: Any) -> None:
        """Wrap the application."""
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the connection on, seen through its proxies."""
        is_connection = scope["type"] in ("http", "websocket")
        await self.application(see_through(scope) if is_connection else scope, receive, send)


def see_through(scope: dict[str, Any]) -> dict[str, Any]:
    """Give the scope as if the client itself had called, without what it may have made up.

    Nor does anybody say where this site begins: Daphne takes a header's word for it, and every link
    of ours, in mails too, would begin with whatever stands there.

    The client is the last address in X-Forwarded-For that is no trusted proxy's: each proxy adds
    the one that it was called from, so whatever stands before was said by a stranger.
    """
    headers: Headers = [pair for pair in scope["headers"] if pair[0] not in FORWARDED]
    scope = {**scope, "root_path": ""}
    peer = _parsed((scope.get("client") or ("", 0))[0])
    if not _is_trusted(peer):
        return {**scope, "headers": headers}
    # The last one is the proxy's own, whatever a client sent along with it.
    for scheme in _values(scope["headers"], PROTO)[-1:]:
        headers.append((PROTO, scheme.encode("latin1")))
    client = _client(peer, _values(scope["headers"], FOR))
    return {**scope, "headers": headers, "client": [str(client), 0]}


def _client(peer: Address | None, said: list[str]) -> Address | None:
    client = peer
    for text in reversed(said):
        if not _is_trusted(client):
            break
        address = _parsed(text)
        if address is None:  # not of our proxies' making: the one that sent it stands for it
            break
        client = address
    return client


def _values(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """Give what a header says over all its lines, parted by commas."""
    lines = [value.decode("latin1") for name, value in headers if name == wanted]
    return [part.strip() for part in ",".join(lines).split(",") if part.strip()]


def _is_trusted(address: Address | None) -> bool:
    return address is not None and any(
        address in network for network in settings.VL_TRUSTED_PROXIES
    )


def _parsed(text: str) -> Address | None:
    """Read an address, with a port or without; IPv4 that came in by an IPv6 socket is IPv4."""
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
