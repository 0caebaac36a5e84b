"""The channel layer over Redis, which lets sockets outlive a Redis that goes away or forgets.

channels_redis raises when Redis fails, and that would end every socket: its consumer's loop reads
from the layer. Here reading waits and tries again, and what cannot be joined, left or sent is
lost, as the layer's contract allows. After a restart or FLUSHALL the groups are empty; a mark that
has gone with them shows it, and this process's channels join their groups again.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any

from channels_redis.core import RedisChannelLayer
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

RETRY_S = 0.5
LOOK_S = 2.0  # how often the mark is looked for
# Who connects or leaves waits for it: a server that does not answer is as good as away.
ANSWERS_WITHIN_S = 1.0
FAILURES = (RedisError, OSError)  # a TimeoutError is an OSError


class PatientRedisChannelLayer(RedisChannelLayer):  # type: ignore[misc]  # channels_redis is untyped
    """channels_redis' core layer, with patience and a memory of its groups.

    Its memory belongs to the event loop that serves sockets; other loops only send. The mark
    expires before the groups do, which also keeps sockets in theirs that stay open for days.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin with no group joined."""
        super().__init__(*args, **kwargs)
        self._members: set[tuple[str, str]] = set()
        self._mark = f"{self.prefix}:mark:{uuid.uuid4().hex}"
        self._is_marked = False
        self._watch: asyncio.Task[None] | None = None

    async def group_add(self, group: str, channel: str) -> None:
        """Join; what fails now is made good as soon as Redis is back."""
        self._members.add((group, channel))
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._watch_mark())
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await super().group_add(group, channel)
        except FAILURES as error:
            logger.warning("channel layer: not joined yet: %r", error)
            self._is_marked = False

    async def group_discard(self, group: str, channel: str) -> None:
        """Leave."""
        self._members.discard((group, channel))
        if not self._members and self._watch is not None:
            self._watch.cancel()
            self._is_marked = False
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await super().group_discard(group, channel)
        except FAILURES as error:
            logger.warning("channel layer: not left: %r", error)

    async def receive(self, channel: str) -> dict[str, Any]:
        """Wait for a message, however long Redis is away."""
        while True:
            try:
                message: dict[str, Any] = await super().receive(channel)
            except FAILURES as error:
                logger.warning("channel layer: cannot read, trying again: %s", error)
                await asyncio.sleep(RETRY_S)
            else:
                return message

    async def _watch_mark(self) -> None:
        """Join all groups again whenever the mark is missing; ends with the last member."""
        while True:
            try:
                await self._join_again_if_unmarked()
            except FAILURES as error:
                self._is_marked = False
                logger.warning("channel layer: cannot look for the mark: %s", error)
            await asyncio.sleep(LOOK_S)

    async def _join_again_if_unmarked(self) -> None:
        connection = self.connection(0)
        if self._is_marked and await connection.exists(self._mark):
            return
        for group, channel in list(self._members):
            await super().group_add(group, channel)
        await connection.set(self._mark, "", ex=self.group_expiry // 2)
        self._is_marked = True
