"""The live conversation over a WebSocket."""

from __future__ import annotations

import asyncio
import logging
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from asgiref.sync import ThreadSensitiveContext
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import translation

from chat import access, protocol
from chat.drain import drain
from chat.errors import ChatError, ErrorCode
from chat.generation import following, local
from chat.generation.info import info_frame
from chat.generation.news import current_card
from chat.generation.relay import EVERYONE, relay, reply_group, user_group
from chat.protocol import CloseCode
from chat.services import images, turns
from chat.session_watch import session_watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.contrib.auth.models import User

    from chat.protocol import (
        CloseFrame,
        MessageFrame,
        OpenFrame,
        PingFrame,
        ResumeFrame,
        ServerFrame,
        StopFrame,
    )

logger = logging.getLogger(__name__)

CATCH_UP_S = 1.0  # a lost relay message costs at most this long


class ChatConsumer(AsyncWebsocketConsumer):
    """`/ws/chat/`: one socket of a signed-in person, for all of their conversations.

    Frames in: message, stop, resume, open, close, ping. Frames out: info, accepted, status,
    partial, final, error, conversation, pong. Close codes: 1009 frame over 1 MiB, 1012 the
    server restarts, 4401 signed out. The contract is docs/protocol.md.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket with a database thread of its own, and clean up however it ends."""
        self._offsets: dict[uuid.UUID, int] = {}  # followed replies: code points sent so far
        self._conversations: dict[uuid.UUID, uuid.UUID] = {}  # followed replies: their place
        self._groups: set[str] = set()
        self._catching_up = asyncio.Lock()
        self._ticker: asyncio.Task[None] | None = None
        async with ThreadSensitiveContext():
            try:
                await super().__call__(scope, receive, send)
            finally:
                await self._clean_up()

    async def connect(self) -> None:
        """Accept; introduce the server, or turn a stranger away."""
        await self.accept()
        scope: dict[str, Any] = dict(self.scope)
        self._language = _language_of(scope)
        if not scope["user"].is_authenticated:
            await self._end_session()
            return
        if drain.is_draining:
            await self._restart()
            return
        drain.add(self, self._restart)
        self.user: User = scope["user"]
        relay.bind()
        session_watch.add(
            self,
            session_key=scope["session"].session_key,
            user_id=self.user.pk,
            on_end=self._end_session,
        )
        await self._join(EVERYONE)
        await self._join(user_group(self.user.pk))
        await self.model_changed({})
        self._ticker = asyncio.create_task(self._catch_up_regularly())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Read one frame and hand it to its handler; a bad one earns an error frame."""
        if not hasattr(self, "user"):
            return
        if text_data is None:
            await self._send_error(ChatError(ErrorCode.BAD_FRAME, detail="it is binary"))
            return
        if len(text_data.encode(errors="surrogatepass")) > protocol.MAX_FRAME_BYTES:
            await self._close(CloseCode.TOO_BIG)
            return
        try:
            frame = protocol.parse(text_data)
        except protocol.FrameError as error:
            code = ErrorCode.UNKNOWN_TYPE if error.is_unknown_type else ErrorCode.BAD_FRAME
            await self._send_error(ChatError(code, detail=error.detail), id=error.client_id)
            return
        try:
            await self._HANDLERS[type(frame)](self, frame)
        except ChatError as error:
            await self._send_error(error, **_subject_of(frame))

    async def on_message(self, frame: MessageFrame) -> None:
        """Start a turn and follow its reply."""
        turn = await database_sync_to_async(_start_turn)(self.user, frame)
        await self._send(
            protocol.AcceptedFrame(
                id=frame.id,
                conversation=turn.conversation.pk,
                message=turn.message.pk,
                reply=turn.reply.pk,
                title=turn.conversation.title,
            )
        )
        await self._follow(turn.reply.pk, turn.conversation.pk, offset=0)

    async def on_stop(self, frame: StopFrame) -> None:
        """Stop a reply, whoever follows it."""
        await database_sync_to_async(local.stop)(self.user, frame.reply, seen_offset=frame.seen)

    async def on_resume(self, frame: ResumeFrame) -> None:
        """Send what comes after the client's offset, then go on live."""
        reply = await database_sync_to_async(access.reply_for)(self.user, frame.reply)
        await self._follow(reply.pk, reply.message.conversation_id, offset=frame.offset)

    async def on_open(self, frame: OpenFrame) -> None:
        """Send the conversation's card, and follow what is being written in it."""
        conversation = await database_sync_to_async(access.conversation_for)(
            self.user, frame.conversation
        )
        await self._send(await database_sync_to_async(current_card)(conversation))
        for reply_id in await database_sync_to_async(following.open_reply_ids)(conversation.pk):
            await self._follow(reply_id, conversation.pk, offset=0)

    async def on_close(self, frame: CloseFrame) -> None:
        """Follow nothing of this conversation any more; unknown ids are fine."""
        for reply_id, place in list(self._conversations.items()):
            if place == frame.conversation:
                await self._unfollow(reply_id)

    async def on_ping(self, frame: PingFrame) -> None:
        """Answer the heartbeat."""
        await self._send(protocol.PongFrame(t=frame.t))

    _HANDLERS: ClassVar[dict[type, Callable[[ChatConsumer, Any], Awaitable[None]]]] = {
        protocol.MessageFrame: on_message,
        protocol.StopFrame: on_stop,
        protocol.ResumeFrame: on_resume,
        protocol.OpenFrame: on_open,
        protocol.CloseFrame: on_close,
        protocol.PingFrame: on_ping,
    }

    # Events from the channel layer ----------------------------------------------------------

    async def reply_text(self, event: dict[str, Any]) -> None:
        """Send new text: what the client has not seen of it, or all that was missed."""
        reply_id, content = uuid.UUID(event["reply"]), event["content"]
        async with self._catching_up:
            have = self._offsets.get(reply_id)
            if have is None or event["offset"] + len(content) <= have:
                return
            if event["offset"] > have:
                await self._catch_up(reply_id)
                return
            await self._send_partial(reply_id, content[have - event["offset"] :])

    async def reply_status(self, event: dict[str, Any]) -> None:
        """Send the stage."""
        reply_id = uuid.UUID(event["reply"])
        if reply_id in self._offsets:
            await self._send(protocol.StatusFrame(reply=reply_id, **event["status"]))

    async def reply_ended(self, event: dict[str, Any]) -> None:
        """Send the end, read from the row."""
        async with self._catching_up:
            await self._catch_up(uuid.UUID(event["reply"]))

    async def conversation_card(self, event: dict[str, Any]) -> None:
        """Pass a changed card on as it is."""
        await self.send(text_data=event["frame"])

    async def model_changed(self, _event: dict[str, Any]) -> None:
        """Introduce the server (again)."""
        with translation.override(self._language):
            frame = info_frame()
        await self._send(frame)

    # Following ------------------------------------------------------------------------------

    async def _follow(
        self, reply_id: uuid.UUID, conversation_id: uuid.UUID, *, offset: int
    ) -> None:
        """Join the group first, then read: what falls in between is read or relayed, or both."""
        await self._join(reply_group(reply_id))
        self._conversations[reply_id] = conversation_id
        async with self._catching_up:
            self._offsets[reply_id] = offset
            await self._catch_up(reply_id, with_status=True)

    async def _catch_up(self, reply_id: uuid.UUID, *, with_status: bool = False) -> None:
        """Send what the log or the row has beyond this socket's offset; end what has ended."""
        if reply_id not in self._offsets:
            return
        try:
            view = await database_sync_to_async(self._view)(reply_id)
        except ChatError as error:  # the conversation was deleted under it
            await self._unfollow(reply_id)
            await self._send_error(error, reply=reply_id)
            return
        if with_status and view.status is not None:
            await self._send(protocol.StatusFrame(reply=reply_id, **view.status))
        if view.text:
            await self._send_partial(reply_id, view.text)
        if view.terminal is not None:
            await self._unfollow(reply_id)
            await self._send(view.terminal)

    def _view(self, reply_id: uuid.UUID) -> following.View:
        with translation.override(self._language):
            return following.view(self.user, reply_id, self._offsets[reply_id])

    async def _catch_up_regularly(self) -> None:
        while True:
            await asyncio.sleep(CATCH_UP_S)
            for reply_id in list(self._offsets):
                async with self._catching_up:
                    await self._catch_up(reply_id)

    async def _unfollow(self, reply_id: uuid.UUID) -> None:
        self._offsets.pop(reply_id, None)
        self._conversations.pop(reply_id, None)
        await self._leave(reply_group(reply_id))

    # Sending --------------------------------------------------------------------------------

    async def _send(self, frame: ServerFrame) -> None:
        await self.send(text_data=frame.encode())

    async def _send_partial(self, reply_id: uuid.UUID, content: str) -> None:
        offset = self._offsets[reply_id]
        self._offsets[reply_id] = offset + len(content)
        await self._send(protocol.PartialFrame(reply=reply_id, offset=offset, content=content))

    async def _send_error(self, error: ChatError, **subject: Any) -> None:
        with translation.override(self._language):
            content = error.content
        await self._send(
            protocol.ErrorFrame(
                code=error.code, content=content, retry_after_s=error.retry_after_s, **subject
            )
        )

    async def _close(self, code: CloseCode) -> None:
        await self.close(int(code))

    async def _restart(self) -> None:
        await self._close(CloseCode.RESTARTING)

    async def _end_session(self) -> None:
        await self._send_error(ChatError(ErrorCode.UNAUTHENTICATED))
        await self._close(CloseCode.SIGNED_OUT)

    # Groups ---------------------------------------------------------------------------------

    async def _join(self, group: str) -> None:
        self._groups.add(group)
        await self.channel_layer.group_add(group, self.channel_name)

    async def _leave(self, group: str) -> None:
        self._groups.discard(group)
        await self.channel_layer.group_discard(group, self.channel_name)

    async def _clean_up(self) -> None:
        drain.discard(self)
        session_watch.discard(self)
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        for group in list(self._groups):
            await self._leave(group)


def _start_turn(user: User, frame: MessageFrame) -> turns.Turn:
    """Store the pictures that came inside the frame, then start the turn."""
    question = turns.Question(
        text=frame.text,
        conversation_id=frame.conversation,
        parent_id=frame.parent,
        client_id=frame.id,
        options=frame.options,
    )
    turns.check_question(question)
    turns.check_image_count(len(frame.images))
    image_ids = [_image_id(user, reference) for reference in frame.images]
    return turns.start_turn(user, turns.with_images(question, image_ids))


def _image_id(user: User, reference: str) -> uuid.UUID:
    if reference.startswith("data:"):
        return images.store_upload(user, images.decode_data_url(reference)).pk
    try:
        return uuid.UUID(reference)
    except ValueError as error:
        raise ChatError(ErrorCode.IMAGE_NOT_FOUND) from error


def _subject_of(frame: protocol.ClientFrame) -> dict[str, Any]:
    """Say what an error belongs to: the client's own id, or the reply it named."""
    client_id, reply_id = getattr(frame, "id", None), getattr(frame, "reply", None)
    if client_id is not None:
        return {"id": str(client_id)}
    return {} if reply_id is None else {"reply": reply_id}


def _language_of(scope: dict[str, Any]) -> str:
    """Choose the language as Django does for a page: cookie, then Accept-Language."""
    headers = dict(scope["headers"])
    request = SimpleNamespace(
        COOKIES=scope.get("cookies", {}),
        META={"HTTP_ACCEPT_LANGUAGE": headers.get(b"accept-language", b"").decode("latin1")},
        path_info=scope["path"],
    )
    return translation.get_language_from_request(request)  # type: ignore[arg-type]  # reads just these
