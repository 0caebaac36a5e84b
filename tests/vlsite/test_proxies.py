"""Who calls: the client that a trusted proxy names, and nobody whom a stranger makes up."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest

from vlsite.proxies import TrustedProxies, see_through

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

PROXY, STRANGER = "10.0.0.7", "203.0.113.9"
FOR, PROTO = b"x-forwarded-for", b"x-forwarded-proto"


@pytest.fixture(autouse=True)
def _trust(settings: SettingsWrapper) -> None:
    networks = ("10.0.0.0/8", "127.0.0.0/8", "2001:db8:ffff::/48")
    settings.VL_TRUSTED_PROXIES = tuple(map(ipaddress.ip_network, networks))


def seen(peer: str | None, *headers: tuple[bytes, bytes], kind: str = "http") -> dict[str, Any]:
    """Give the scope of a call from there with these headers, as the application sees it."""
    client = None if peer is None else [peer, 4321]
    scope = {"type": kind, "client": client, "headers": [(b"host", b"x"), *headers]}
    return see_through(scope)


def client_of(peer: str | None, *said: str) -> str:
    """Give the client's address of a call with these lines of X-Forwarded-For."""
    client = seen(peer, *((FOR, line.encode()) for line in said))["client"]
    return str(client[0]) if client else "nobody"


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        pytest.param(STRANGER, ["198.51.100.1"], STRANGER, id="a stranger is not believed"),
        pytest.param(PROXY, [STRANGER], STRANGER, id="a trusted proxy is"),
        pytest.param(PROXY, [], PROXY, id="one that says nothing stands for itself"),
        pytest.param(PROXY, [f"198.51.100.1, {STRANGER}"], STRANGER, id="made up in front"),
        pytest.param(PROXY, ["127.0.0.1", STRANGER], STRANGER, id="made up in a line of its own"),
        pytest.param(PROXY, [f"{STRANGER}, 10.0.0.8"], STRANGER, id="two trusted proxies"),
        pytest.param(PROXY, ["10.0.0.9, 10.0.0.8"], "10.0.0.9", id="only trusted ones"),
        pytest.param(PROXY, [f"{STRANGER}, nonsense"], PROXY, id="nonsense ends the trail"),
        pytest.param(PROXY, [f"{STRANGER}:1234"], STRANGER, id="with a port"),
        pytest.param(PROXY, ["[2001:db8::1]:1234"], "2001:db8::1", id="IPv6 with a port"),
        pytest.param(PROXY, ["2001:db8::1"], "2001:db8::1", id="IPv6"),
        pytest.param("2001:db8:ffff::2", [STRANGER], STRANGER, id="an IPv6 proxy"),
        pytest.param("::ffff:10.0.0.7", [STRANGER], STRANGER, id="IPv4 on an IPv6 socket"),
        pytest.param(PROXY, ["", " , "], PROXY, id="nothing between commas"),
        pytest.param(None, [STRANGER], "nobody", id="a Unix socket has no address"),
    ],
)
def test_the_client_is_the_last_that_a_trusted_proxy_names(
    peer: str | None, said: list[str], client: str
) -> None:
    assert client_of(peer, *said) == client


def test_without_trusted_proxies_nobody_is_believed(settings: SettingsWrapper) -> None:
    settings.VL_TRUSTED_PROXIES = ()

    assert client_of("127.0.0.1", STRANGER) == "127.0.0.1"


@pytest.mark.parametrize("name", ["proto", "host", "port", "for"])
def test_what_a_stranger_says_of_forwarding_is_dropped(name: str) -> None:
    scope = seen(STRANGER, (b"x-forwarded-" + name.encode(), b"https"), (b"forwarded", b"x"))

    assert scope["headers"] == [(b"host", b"x")]


@pytest.mark.parametrize("peer", [STRANGER, PROXY])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_nobody_says_where_the_site_begins(peer: str, kind: str) -> None:
    """Daphne took it from a header: links to a new password led to an attacker's site."""
    scope = {
        "type": kind,
        "client": [peer, 4321],
        "headers": [(b"daphne-root-path", b"https://evil.example")],
        "root_path": "https://evil.example",
    }

    found = see_through(scope)

    assert (found["root_path"], found["headers"]) == ("", [])


@pytest.mark.parametrize(
    ("said", "scheme"),
    [
        pytest.param([b"https"], b"https", id="once"),
        pytest.param([b"https", b"http"], b"http", id="the proxy's own is the last line"),
        pytest.param([b"https, http"], b"http", id="the proxy's own is the last word"),
    ],
)
def test_a_trusted_proxy_says_whether_it_was_https(said: list[bytes], scheme: bytes) -> None:
    scope = seen(PROXY, *((PROTO, word) for word in said), (b"x-forwarded-host", b"evil"))

    assert scope["headers"] == [(b"host", b"x"), (PROTO, scheme)]


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_pages_and_sockets_see_the_same_client(kind: str) -> None:
    found: list[Any] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        found.append(scope["client"])

    scope = {"type": kind, "client": [PROXY, 1], "headers": [(FOR, STRANGER.encode())]}
    await TrustedProxies(application)(scope, None, None)

    assert found == [[STRANGER, 0]]


async def test_what_is_no_connection_passes_as_it_is() -> None:
    found: list[Any] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        found.append(scope)

    await TrustedProxies(application)({"type": "lifespan"}, None, None)

    assert found == [{"type": "lifespan"}]
