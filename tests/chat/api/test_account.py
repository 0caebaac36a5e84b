"""The export of an account: complete, readable, one's own, and not held up by what is missing."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from chat import account_archive
from chat.account_archive import archive
from chat.api.conversations import as_json
from chat.models import ApiKey, Image
from chat.services import api_keys, images, preferences
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.factories import a_picture, a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

PATH = "/api/account/export/"
pytestmark = pytest.mark.django_db(transaction=True)


def unpacked(client: Client) -> dict[str, bytes]:
    """Download and unpack the file."""
    response: Any = client.get(PATH)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/zip"

    async def read() -> bytes:
        return b"".join([piece async for piece in response])

    with zipfile.ZipFile(io.BytesIO(async_to_sync(read)())) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def test_everything_is_in_it(alice: User) -> None:
    picture = a_picture(alice)
    turn = a_turn(alice, "What is 这个?", image_ids=[picture.pk])
    end_reply(turn.reply, "A red square.")
    api_keys.issue(alice, name="script", scope=ApiKey.Scope.READ, days=None)
    preferences.choose_language(alice, "zh-hans")

    files = unpacked(browser_of(alice))

    account = json.loads(files["account.json"])
    assert (account["username"], account["email"]) == ("alice", "alice@example.org")
    assert (account["language"], account["api_keys"][0]["name"]) == ("zh-hans", "script")
    messages = json.loads(files[f"conversations/{turn.conversation.pk}.json"])["messages"]
    assert [message["text"] for message in messages] == ["What is 这个?", "A red square."]
    (listed,) = json.loads(files["pictures.json"])
    assert files[listed["file"]] == images.read_bytes(picture)
    assert json.loads(files["documents.json"]) == []


def test_nothing_of_others_is_in_it(alice: User, bob: User) -> None:
    a_turn(bob, "Bob's question", image_ids=[a_picture(bob).pk])

    files = unpacked(browser_of(alice))

    assert set(files) == {"account.json", "pictures.json", "documents.json"}


def test_no_secret_is_in_it(alice: User) -> None:
    key, text = api_keys.issue(alice, name="script", scope=ApiKey.Scope.READ, days=None)

    account = unpacked(browser_of(alice))["account.json"].decode()

    for secret in (text, key.digest, alice.password):
        assert secret not in account


def test_what_the_disk_lost_is_said(alice: User) -> None:
    a_picture(alice).file.delete(save=False)

    (listed,) = json.loads(unpacked(browser_of(alice))["pictures.json"])

    assert listed["file"] is None


def test_strangers_get_nothing(db: None) -> None:
    answer = browser_of(None).get(PATH)

    assert (answer.status_code, code_of(answer)) == (401, "unauthenticated")


async def test_it_is_written_while_it_is_read(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation that is not reached yet is not read; one deleted meanwhile is left out."""
    first, second = [await sync_to_async(a_turn)(alice) for _ in range(2)]
    described: list[Any] = []

    def describe(conversation: Any) -> dict[str, Any]:
        described.append(conversation.pk)
        return as_json(conversation)

    pieces = archive(alice, describe)
    await anext(pieces)
    assert described == []
    for turn in (first, second):
        await turn.conversation.adelete()
    rest = b"".join([piece async for piece in pieces])

    assert described == []
    assert b"account.json" in rest  # the list at the end of the file


async def test_a_large_picture_comes_in_parts(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_archive, "CHUNK_BYTES", 16)
    picture: Image = await sync_to_async(a_picture)(alice)

    pieces = [piece async for piece in archive(alice, as_json)]

    assert len(pieces) > picture.size_bytes / 16
    assert max(map(len, pieces)) < 1000
