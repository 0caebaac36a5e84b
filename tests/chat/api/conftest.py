"""Browsers of the people, and their own media folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper


@pytest.fixture(autouse=True)
def media(settings: SettingsWrapper, tmp_path: Path) -> Path:
    """Keep each test's files apart."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def browser_of(user: User | None, *, language: str = "en", **options: Any) -> Client:
    """Give a client that is signed in as this person, or as nobody."""
    client = Client(headers={"accept-language": language}, **options)
    if user is not None:
        client.force_login(user)
    return client


def code_of(response: Any) -> str:
    """Check the shape of an error answer, and give its code."""
    body = response.json()
    assert response["Content-Type"].startswith("application/json")
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message"}
    assert body["error"]["message"]
    code: str = body["error"]["code"]
    return code


def body_of(response: Any) -> str:
    """Take all of an answer, also one that is written while it is sent."""

    async def read() -> bytes:
        return b"".join([piece async for piece in response])

    return (async_to_sync(read)() if response.streaming else response.content).decode()
