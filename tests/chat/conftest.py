"""A running product without its server: scripted inference, a real runner, in-process sockets."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from PIL import Image as PillowImage

from chat.generation import local
from chat.generation.relay import relay
from inference.testing import Gate, Script, scripted_service
from vlsite.asgi import application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from django.contrib.auth.models import User

    from chat.protocol import Json

DEADLINE_S = 10.0
ORIGIN = settings.VL_ORIGINS[0].encode()


def png(width_px: int = 40, height_px: int = 30, colour: str = "red") -> bytes:
    """Draw a small picture."""
    buffer = io.BytesIO()
    PillowImage.new("RGB", (width_px, height_px), colour).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Stage:
    """What a test can turn: the gate of the scripted model, and what it answers."""

    gate: Gate
    runner: local.LocalRunner
    answers: list[str]


@pytest.fixture
def stage(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Run a real runner on a scripted model; answers default to facts about the request."""
    gate = Gate()
    answers: list[str] = []

    def answer(request: Any) -> str:
        from inference.backends.scripted import describe_request

        return answers[0] if answers else describe_request(request)

    with scripted_service(Script(answer=answer, gate=gate)) as service:
        service.wait_ready(DEADLINE_S)
        runner = local.LocalRunner(service)
        monkeypatch.setattr(local, "runner", lambda: runner)
        runner.start()
        yield Stage(gate, runner, answers)
        gate.open()
        runner.close()
        relay.release()  # the test's event loop closes next


class Socket:
    """A person's socket, as a test speaks with it."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator

    async def send(self, **frame: Any) -> None:
        """Send one frame."""
        await self.communicator.send_to(text_data=json.dumps(frame, default=str))

    async def receive(self) -> Json:
        """Receive the next frame, whatever it is."""
        text = await self.communicator.receive_from(timeout=DEADLINE_S)
        frame: Json = json.loads(text)
        return frame

    async def until(self, *types: str) -> Json:
        """Skip to the next frame of one of these types."""
        while True:
            frame = await self.receive()
            if frame["type"] in types:
                return frame

    async def read_reply(self, reply_id: str, text: str = "") -> tuple[str, Json]:
        """Append partials as a client does, to the reply's end; check that none is out of place."""
        while True:
            frame = await self.until("partial", "final", "error")
            if frame.get("reply") != reply_id:
                continue
            if frame["type"] != "partial":
                return text, frame
            assert frame["offset"] == len(text)
            text += frame["content"]

    async def ask(self, text: str, **fields: Any) -> Json:
        """Start a turn and give its `accepted` (or `error`) frame."""
        await self.send(type="message", text=text, **fields)
        return await self.until("accepted", "error")

    async def close_code(self) -> int:
        """Wait for the server to close, and give its code."""
        while True:
            event = await self.communicator.receive_output(timeout=DEADLINE_S)
            if event["type"] == "websocket.close":
                code: int = event["code"]
                return code


def session_cookie(user: User) -> str:
    """Sign the person in; give the session's key."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@contextlib.asynccontextmanager
async def connected(
    user: User | None, *, language: str = "en", wait: bool = True, path: str = "/ws/chat/"
) -> AsyncIterator[Socket]:
    """Open a socket for this person, or for a stranger; `info` is read unless `wait` is off."""
    headers = [(b"origin", ORIGIN), (b"accept-language", language.encode())]
    if user is not None:
        key = await sync_to_async(session_cookie)(user)
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode()))
    communicator = WebsocketCommunicator(application, path, headers=headers)
    is_accepted, _ = await communicator.connect(timeout=DEADLINE_S)
    assert is_accepted
    socket = Socket(communicator)
    try:
        if wait and user is not None:
            await socket.until("info")
        yield socket
    finally:
        await communicator.disconnect(timeout=DEADLINE_S)


def end_sessions() -> None:
    """End every session in the database, as an administrator might."""
    Session.objects.all().delete()
