"""Server-Sent Events: the frames of a socket, on the same cursor, for as long as they may come."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async

from chat import reply_stream, session_watch
from chat.drain import Drain
from chat.errors import ChatError, ErrorCode
from chat.generation import news
from chat.reply_cursor import ReplyCursor
from chat.reply_stream import ReplyStream, Session
from chat.services import conversations
from chat.stream_places import stream_places
from inference.requests import Stage as InferenceStage
from tests.chat.conftest import DEADLINE_S, end_sessions, session_cookie
from tests.chat.factories import a_turn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from django.contrib.auth.models import User
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from chat.services.turns import Turn
    from tests.chat.conftest import Stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def drain(monkeypatch: pytest.MonkeyPatch) -> Drain:
    """Give a drain of the test's own, and look for ended sessions often."""
    drain = Drain()
    monkeypatch.setattr(reply_stream, "drain", drain)
    monkeypatch.setattr(session_watch, "WATCH_S", 0.02)
    return drain


class Reader:
    """A client's side of one stream."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        self._events = events

    async def next(self) -> bytes:
        """Give what comes next as it stands on the wire; nothing at the end."""
        return await asyncio.wait_for(anext(self._events, b""), DEADLINE_S)

    async def until(self, name: str) -> dict[str, Any]:
        """Skip to the next event of this name; give its frame, with the event's `id`."""
        while block := await self.next():
            lines = block.decode().splitlines()
            fields = dict(line.split(": ", 1) for line in lines if ": " in line)
            if fields.get("event") == name:
                return {"id": int(fields["id"]), **json.loads(fields["data"])}
        raise AssertionError(f"no {name}")


@contextlib.asynccontextmanager
async def reading(user: User, reply_id: uuid.UUID, offset: int = 0) -> AsyncIterator[Reader]:
    """Follow a reply as its owner; the stream is closed as by a client that goes away."""
    key = await sync_to_async(session_cookie)(user)
    cursor = ReplyCursor(user, reply_id, offset=offset, language="en")
    session = Session(key=key, user_id=user.pk, language="en")
    events: Any = ReplyStream(cursor, session).events()
    async with contextlib.aclosing(events):
        yield Reader(events)


async def asked(user: User, stage: Stage, *answers: str) -> Turn:
    """Ask, with the model held before its first word."""
    stage.gate.close()
    stage.answers.extend(answers)
    return await sync_to_async(a_turn)(user)


def write_words(stage: Stage, count: int) -> None:
    """Let the model write so many words."""
    stage.gate.allow(InferenceStage.PREFILL, 2)
    stage.gate.allow(InferenceStage.DECODE, count)


async def test_the_ids_are_the_offsets_after_each_event(stage: Stage, alice: User) -> None:
    turn = await asked(alice, stage, "one two ")
    async with reading(alice, turn.reply.pk) as reader:
        write_words(stage, 1)
        first = await reader.until("partial")
        stage.gate.open()
        final = await reader.until("final")
        end = await reader.next()

    assert (first["offset"], first["content"], first["id"]) == (0, "one ", 4)
    assert (final["content"], final["id"]) == ("one two ", 8)
    assert end == b""


async def test_a_reader_begins_at_its_offset(stage: Stage, alice: User) -> None:
    turn = await asked(alice, stage, "one two three ")
    async with reading(alice, turn.reply.pk) as first, reading(alice, turn.reply.pk, 4) as second:
        write_words(stage, 2)
        seen = ""
        while seen != "one two ":
            seen += (await first.until("partial"))["content"]
        partial = await second.until("partial")

    assert (partial["offset"], partial["content"]) == (4, "two ")


async def test_a_lost_relay_message_costs_no_text(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "text_added", lambda *_, **__: None)
    monkeypatch.setattr(reply_stream, "CATCH_UP_S", 0.02)
    turn = await asked(alice, stage, "one two ")
    async with reading(alice, turn.reply.pk) as reader:
        write_words(stage, 1)
        partial = await reader.until("partial")

    assert partial["content"] == "one "


async def test_a_quiet_stream_beats(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_stream, "CATCH_UP_S", 0.02)
    monkeypatch.setattr(reply_stream, "HEARTBEAT_S", 0.02)
    turn = await asked(alice, stage)
    async with reading(alice, turn.reply.pk) as reader:
        while (block := await reader.next()) != b":\n\n":
            assert block


async def test_the_stream_ends_with_the_session(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_stream, "CATCH_UP_S", 0.02)
    turn = await asked(alice, stage)
    async with reading(alice, turn.reply.pk) as reader:
        await reader.next()
        await sync_to_async(end_sessions)()
        error = await reader.until("error")
        end = await reader.next()

    assert (error["code"], "reply" in error) == ("unauthenticated", False)
    assert end == b""


async def test_a_server_that_leaves_ends_the_stream(
    stage: Stage, alice: User, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_stream, "CATCH_UP_S", 0.02)
    turn = await asked(alice, stage)
    async with reading(alice, turn.reply.pk) as reader:
        await reader.next()
        await drain.run(notice_s=0, spread_s=0)
        while block := await reader.next():
            assert b"event: status" in block


async def test_deleting_the_conversation_ends_the_stream(stage: Stage, alice: User) -> None:
    turn = await asked(alice, stage)
    async with reading(alice, turn.reply.pk) as reader:
        await reader.next()
        await sync_to_async(conversations.delete)(turn.conversation)
        error = await reader.until("error")
        end = await reader.next()

    assert (error["code"], error["reply"]) == ("message_not_found", str(turn.reply.pk))
    assert end == b""


async def test_a_reader_that_goes_away_is_forgotten(
    stage: Stage, alice: User, drain: Drain
) -> None:
    turn = await asked(alice, stage)
    async with reading(alice, turn.reply.pk) as reader:
        await reader.next()
        was_known = bool(drain._sockets)

    assert was_known
    assert not drain._sockets
    assert not session_watch.session_watch._sockets


async def test_one_person_holds_only_so_many_streams(
    stage: Stage, alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_PERSON_STREAMS = 2
    turn = await asked(alice, stage, "one ")
    async with reading(alice, turn.reply.pk) as first:
        await first.next()
        async with reading(alice, turn.reply.pk) as second:
            await second.next()
            with pytest.raises(ChatError) as caught:
                stream_places.take(alice.pk)
        stream_places.give_back(stream_places.take(alice.pk))

    assert caught.value.code == ErrorCode.RATE_LIMITED
    assert alice.pk not in stream_places._taken


def test_one_stream_too_many_is_refused_over_http(
    client: Client, alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_PERSON_STREAMS = 1
    client.force_login(alice)
    reply = a_turn(alice).reply
    place = stream_places.take(alice.pk)

    response = client.get(f"/api/replies/{reply.pk}/events/")
    stream_places.give_back(place)

    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
