"""Which pages may open a socket: those of the site, to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from channels.testing import WebsocketCommunicator

from vlsite.origins import ExactOriginValidator

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

# A refusal is a consumer of Channels, which tidies up the database's connections.
pytestmark = pytest.mark.django_db(transaction=True)

HERE = b"https://chat.example.org"


async def accept(_scope: Any, receive: Any, send: Any) -> None:
    """Accept whoever comes through."""
    await receive()
    await send({"type": "websocket.accept"})


async def is_let_in(*origins: bytes) -> bool:
    """Open a socket with these Origin headers."""
    headers = [(b"origin", origin) for origin in origins]
    communicator = WebsocketCommunicator(ExactOriginValidator(accept), "/ws/chat/", headers)
    is_accepted, _ = await communicator.connect()
    await communicator.disconnect()
    return is_accepted


@pytest.fixture(autouse=True)
def _site(settings: SettingsWrapper) -> None:
    settings.VL_ORIGINS = [HERE.decode()]


async def test_the_sites_own_page_is_let_in() -> None:
    assert await is_let_in(HERE)


async def test_a_program_without_origin_is_let_in_to_the_sign_in_check() -> None:
    assert await is_let_in()


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param(b"https://evil.example", id="another site"),
        pytest.param(b"http://chat.example.org", id="another scheme"),
        pytest.param(b"https://chat.example.org:8443", id="another port"),
        pytest.param(b"https://chat.example.org.evil.example", id="a longer name"),
        pytest.param(b"https://evil.chat.example.org", id="a subdomain"),
        pytest.param(b"https://chat.example.org/", id="a path"),
        pytest.param(b"null", id="null"),
        pytest.param(b"", id="empty"),
        pytest.param(b"https://ch\xe4t.example.org", id="not ASCII"),
    ],
)
async def test_another_page_is_refused(origin: bytes) -> None:
    assert not await is_let_in(origin)


async def test_two_origins_are_refused_even_if_both_are_right() -> None:
    assert not await is_let_in(HERE, HERE)
