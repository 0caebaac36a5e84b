"""The replies that one socket follows: a cursor each, fed by the channel layer and by looking."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from chat.generation.relay import reply_group
from chat.reply_cursor import ReplyCursor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from chat.models.image import Owner
    from chat.protocol import ServerFrame
    from chat.socket_groups import SocketGroups

logger = logging.getLogger(__name__)

CATCH_UP_S = 1.0  # a lost relay message costs at most this long


class FollowedReplies:
    """Sends each followed reply's frames in order, from any of the socket's tasks."""

    def __init__(
        self,
        user: Owner,
        *,
        language: str,
        groups: SocketGroups,
        send: Callable[[ServerFrame], Awaitable[None]],
    ) -> None:
        """Follow nothing yet."""
        self._user = user
        self._language = language
        self._groups = groups
        self._send = send
        self._cursors: dict[uuid.UUID, ReplyCursor] = {}
        self._conversations: dict[uuid.UUID, uuid.UUID] = {}
        self._sending = asyncio.Lock()
        self._ticker: asyncio.Task[None] | None = None

    async def follow(self, reply_id: uuid.UUID, conversation_id: uuid.UUID, *, offset: int) -> None:
        """Send what comes after the offset, then go on live; access was checked by the caller."""
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._catch_up_regularly())
        # Join first, then read: what falls in between is read or relayed, or both.
        await self._groups.join(reply_group(reply_id))
        async with self._sending:
            cursor = ReplyCursor(self._user, reply_id, offset=offset, language=self._language)
            self._cursors[reply_id] = cursor
            self._conversations[reply_id] = conversation_id
            await self._pass_on(cursor, await cursor.read(with_status=True))

    async def take(self, event: dict[str, Any]) -> None:
        """Send what an event of the channel layer means for its reply, if that is followed."""
        async with self._sending:
            cursor = self._cursors.get(uuid.UUID(event["reply"]))
            if cursor is not None:
                await self._pass_on(cursor, await cursor.take(event))

    async def drop_conversation(self, conversation_id: uuid.UUID) -> None:
        """Follow nothing of this conversation any more."""
        for reply_id, place in list(self._conversations.items()):
            if place == conversation_id:
                await self._drop(reply_id)

    async def close(self) -> None:
        """Stop looking; the groups are left by their owner."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)

    async def _catch_up_regularly(self) -> None:
        while True:
            await asyncio.sleep(CATCH_UP_S)
            for reply_id in list(self._cursors):
                try:
                    await self._catch_up(reply_id)
                except DatabaseError:  # one look is lost; without the task all would be
                    logger.warning("socket: the database did not answer; looking again")

    async def _catch_up(self, reply_id: uuid.UUID) -> None:
        async with self._sending:
            cursor = self._cursors.get(reply_id)
            if cursor is not None:
                await self._pass_on(cursor, await cursor.read())

    async def _pass_on(self, cursor: ReplyCursor, frames: Sequence[ServerFrame]) -> None:
        if cursor.has_ended:
            await self._drop(cursor.reply_id)
        for frame in frames:
            await self._send(frame)

    async def _drop(self, reply_id: uuid.UUID) -> None:
        self._cursors.pop(reply_id, None)
        self._conversations.pop(reply_id, None)
        await self._groups.leave(reply_group(reply_id))
