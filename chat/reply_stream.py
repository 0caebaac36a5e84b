"""A reply as Server-Sent Events: the same cursor and the same frames as on a socket.

A frame is one event: its type is the event's, its offset afterwards the event's id, so that a
browser that lost the connection goes on by itself, here or at another instance.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from channels.db import aclose_old_connections
from channels.layers import get_channel_layer

from chat.drain import drain
from chat.error_frames import error_frame
from chat.errors import ChatError, ErrorCode
from chat.generation.relay import relay, reply_group
from chat.protocol import FinalFrame
from chat.session_watch import session_watch
from chat.stream_places import stream_places

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Any

    from chat.protocol import ErrorFrame, ServerFrame
    from chat.reply_cursor import ReplyCursor

CATCH_UP_S = 1.0  # a lost relay message costs at most this long
HEARTBEAT_S = 15.0
RETRY = b"retry: 1000\n\n"  # ms after which a browser comes back
HEARTBEAT = b":\n\n"


@dataclass(frozen=True, slots=True)
class Session:
    """Whose stream it is: it ends with the session."""

    key: str
    user_id: int
    language: str


class ReplyStream:
    """Follows one reply for one HTTP answer, to its end, the session's or the server's."""

    def __init__(self, cursor: ReplyCursor, session: Session) -> None:
        """Take a place; nothing is followed before the first event is asked for.

        Raises:
            ChatError: rate_limited, when its person has `VL_PERSON_STREAMS` open here.
        """
        self._place = stream_places.take(session.user_id)
        self._cursor = cursor
        self._session = session
        self._layer: Any = get_channel_layer()
        self._receiving: asyncio.Task[dict[str, Any]] | None = None
        self._has_to_leave = False
        self._is_signed_out = False

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the events as bytes; closing the iterator leaves nothing behind."""
        await aclose_old_connections()  # the view's, in its own thread: the stream may last
        relay.bind()
        self._watch()
        channel = await self._layer.new_channel()
        group = reply_group(self._cursor.reply_id)
        clock = asyncio.get_running_loop().time
        stream_places.begin(self._place)
        try:
            # Join first, then read: what falls in between is read or relayed, or both.
            await self._layer.group_add(group, channel)
            yield RETRY
            frames = await self._cursor.read(with_status=True)
            spoke_at = clock()
            while True:
                for frame in frames:
                    yield self._encode(frame)
                    spoke_at = clock()
                if self._cursor.has_ended or self._has_to_leave or drain.is_draining:
                    break
                if clock() - spoke_at >= HEARTBEAT_S:
                    yield HEARTBEAT
                    spoke_at = clock()
                frames = await self._next_frames(channel)
            if self._is_signed_out:
                yield self._encode(self._farewell())
        finally:
            await self._clean_up(group, channel)

    async def _next_frames(self, channel: str) -> Sequence[ServerFrame]:
        """Wait for news, a second at most; without any look for what may have been lost."""
        if self._receiving is None:
            self._receiving = asyncio.create_task(self._layer.receive(channel))
        done, _ = await asyncio.wait((self._receiving,), timeout=CATCH_UP_S)
        if not done:
            return await self._cursor.read()
        event = self._receiving.result()
        self._receiving = None
        return await self._cursor.take(event)

    def _watch(self) -> None:
        drain.add(self, self._leave)
        session_watch.add(
            self,
            session_key=self._session.key,
            user_id=self._session.user_id,
            on_end=self._sign_out,
        )

    async def _clean_up(self, group: str, channel: str) -> None:
        stream_places.give_back(self._place)
        drain.discard(self)
        session_watch.discard(self)
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.gather(self._receiving, return_exceptions=True)
        await self._layer.group_discard(group, channel)

    def _encode(self, frame: ServerFrame) -> bytes:
        end = len(frame.content) if isinstance(frame, FinalFrame) else self._cursor.offset
        return f"event: {frame.type}\nid: {end}\ndata: {frame.encode()}\n\n".encode()

    def _farewell(self) -> ErrorFrame:
        signed_out = ChatError(ErrorCode.UNAUTHENTICATED)
        return error_frame(signed_out, language=self._session.language)

    # Both are noticed within CATCH_UP_S.

    async def _leave(self) -> None:
        self._has_to_leave = True

    async def _sign_out(self) -> None:
        self._has_to_leave = self._is_signed_out = True
