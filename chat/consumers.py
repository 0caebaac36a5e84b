"""The live conversation over a WebSocket."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import translation

from chat import access, protocol, rate_limits
from chat.database_threads import in_thread
from chat.drain import drain
from chat.error_frames import error_frame
from chat.errors import ChatError, ErrorCode
from chat.followed_replies import FollowedReplies
from chat.frame_budget import SocketBudget
from chat.generation import continuing, following, local
from chat.generation.info import info_frame
from chat.generation.news import current_card
from chat.generation.relay import EVERYONE, relay, user_group
from chat.protocol import CloseCode
from chat.rate_limits import Caller
from chat.services import questions
from chat.session_watch import session_watch
from chat.socket_groups import SocketGroups
from chat.socket_sender import SocketSender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.contrib.auth.models import User

    from chat.protocol import (
        AcceptedFrame,
        CloseFrame,
        ContinueFrame,
        EditFrame,
        MessageFrame,
        OpenFrame,
        PingFrame,
        RegenerateFrame,
        ResumeFrame,
        ServerFrame,
        StopFrame,
    )

Frame = TypeVar("Frame")


class ChatConsumer(AsyncWebsocketConsumer):
    """`/ws/chat/`: one socket of a signed-in person, for all of their conversations.

    Frames in: message, regenerate, edit, continue, stop, resume, open, close, ping. Frames out:
    info, accepted, status, partial, final, error, conversation, pong. Close codes: 1009 frame over
    1 MiB, 1012 the server restarts, 4401 signed out, 4408 reader too slow, 4429 flooding. The
    contract is docs/protocol.md.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket, and clean up however it ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._clean_up()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand a message to its method, without Channels' hop to a database thread before each."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Accept; introduce the server, or turn a stranger away."""
        self._sender = SocketSender(
            lambda text: self.send(text_data=text), self.close, stall_s=settings.VL_SOCKET_STALL_S
        )
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
        self._caller = Caller(self.user.pk, str((scope.get("client") or ("", 0))[0]))
        self._budget = SocketBudget(self._caller)
        self._groups = SocketGroups(self.channel_layer, self.channel_name)
        self._follows = FollowedReplies(
            self.user, language=self._language, groups=self._groups, send=self._send
        )
        relay.bind()
        session_watch.add(
            self,
            session_key=scope.get("credential") or scope["session"].session_key,
            user_id=self.user.pk,
            on_end=self._end_session,
        )
        await self._groups.join(EVERYONE)
        await self._groups.join(user_group(self.user.pk))
        await self.model_changed({})

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Read one frame and hand it to its handler; a bad one earns an error frame."""
        if not hasattr(self, "user") or self._sender.has_closed:
            return
        size_bytes = _size_of(text_data, bytes_data)
        if size_bytes > protocol.MAX_FRAME_BYTES:
            await self._sender.close(CloseCode.TOO_BIG)
        elif not self._budget.spend(size_bytes):
            await self._sender.close(CloseCode.FLOODING)
        elif text_data is None:
            await self._send_error(ChatError(ErrorCode.BAD_FRAME, detail="it is binary"))
        else:
            await self._take(text_data)

    async def _take(self, text: str) -> None:
        try:
            frame = protocol.parse(text)
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
        await self._start(questions.ask, frame)

    async def on_edit(self, frame: EditFrame) -> None:
        """Ask a question again with another text, and follow its reply."""
        await self._start(questions.edit, frame)

    async def on_regenerate(self, frame: RegenerateFrame) -> None:
        """Have a question answered once more, and follow the reply."""
        await self._start(questions.regenerate, frame)

    async def on_continue(self, frame: ContinueFrame) -> None:
        """Go on with a reply, and follow it from its start: a client may not know its text."""
        await self._start(continuing.continue_reply, frame)

    async def _start(self, start: Callable[[User, Frame], AcceptedFrame], frame: Frame) -> None:
        accepted = await in_thread(self._ask)(start, frame)
        await self._send(accepted)
        await self._follows.follow(accepted.reply, accepted.conversation, offset=0)

    def _ask(self, start: Callable[[User, Frame], AcceptedFrame], frame: Frame) -> AcceptedFrame:
        rate_limits.spend_turn(self._caller, getattr(frame, "images", ()))
        return start(self.user, frame)

    async def on_stop(self, frame: StopFrame) -> None:
        """Stop a reply, whoever follows it."""
        await in_thread(local.stop)(self.user, frame.reply, seen_offset=frame.seen)

    async def on_resume(self, frame: ResumeFrame) -> None:
        """Send what comes after the client's offset, then go on live."""
        reply = await in_thread(access.reply_for)(self.user, frame.reply)
        await self._follows.follow(reply.pk, reply.message.conversation_id, offset=frame.offset)

    async def on_open(self, frame: OpenFrame) -> None:
        """Send the conversation's card, and follow what is being written in it."""
        conversation = await in_thread(access.conversation_for)(self.user, frame.conversation)
        await self._send(await in_thread(current_card)(conversation))
        for reply_id in await in_thread(following.open_reply_ids)(conversation.pk):
            await self._follows.follow(reply_id, conversation.pk, offset=0)

    async def on_close(self, frame: CloseFrame) -> None:
        """Follow nothing of this conversation any more; unknown ids are fine."""
        await self._follows.drop_conversation(frame.conversation)

    async def on_ping(self, frame: PingFrame) -> None:
        """Answer the heartbeat."""
        await self._send(protocol.PongFrame(t=frame.t))

    _HANDLERS: ClassVar[dict[type, Callable[[ChatConsumer, Any], Awaitable[None]]]] = {
        protocol.MessageFrame: on_message,
        protocol.RegenerateFrame: on_regenerate,
        protocol.EditFrame: on_edit,
        protocol.ContinueFrame: on_continue,
        protocol.StopFrame: on_stop,
        protocol.ResumeFrame: on_resume,
        protocol.OpenFrame: on_open,
        protocol.CloseFrame: on_close,
        protocol.PingFrame: on_ping,
    }

    # Events from the channel layer ----------------------------------------------------------

    async def reply_text(self, event: dict[str, Any]) -> None:
        """Send new text: what the client has not seen of it, or all that was missed."""
        await self._follows.take(event)

    async def reply_status(self, event: dict[str, Any]) -> None:
        """Send the stage."""
        await self._follows.take(event)

    async def reply_ended(self, event: dict[str, Any]) -> None:
        """Send the end, read from the row."""
        await self._follows.take(event)

    async def conversation_card(self, event: dict[str, Any]) -> None:
        """Pass a changed card on as it is."""
        await self._sender.send(event["frame"])

    async def model_changed(self, _event: dict[str, Any]) -> None:
        """Introduce the server (again)."""
        with translation.override(self._language):
            frame = info_frame()
        await self._send(frame)

    # Sending --------------------------------------------------------------------------------

    async def _send(self, frame: ServerFrame) -> None:
        await self._sender.send(frame.encode())

    async def _send_error(self, error: ChatError, **subject: Any) -> None:
        await self._send(error_frame(error, language=self._language, **subject))

    async def _restart(self) -> None:
        await self._sender.close(CloseCode.RESTARTING)

    async def _end_session(self) -> None:
        if not self._sender.is_waiting:  # who reads nothing is not waited for
            await self._send_error(ChatError(ErrorCode.UNAUTHENTICATED))
        await self._sender.close(CloseCode.SIGNED_OUT)

    async def _clean_up(self) -> None:
        drain.discard(self)
        session_watch.discard(self)
        if hasattr(self, "user"):
            await self._follows.close()
            await self._groups.leave_all()


def _size_of(text: str | None, content: bytes | None) -> int:
    return len(content or b"") if text is None else len(text.encode(errors="surrogatepass"))


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
