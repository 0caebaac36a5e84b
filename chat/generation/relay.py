"""Carries news from worker threads to the sockets, through the channel layer.

The layer may lose messages, so nothing here is a promise: text is numbered by offset and can be
read again from the reply log. A thread cannot await the layer, and the in-memory layer's queues
belong to one event loop: sends are handed to the loop that serves this process's sockets. With
Redis, where the sockets may be in other processes, they are handed to a loop of the relay's own.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

if TYPE_CHECKING:
    import uuid

logger = logging.getLogger(__name__)

EVERYONE = "everyone"
MAX_WAITING = 2000  # events; the oldest are dropped while the layer is too slow for more


def user_group(user_id: int) -> str:
    """Name the group of one person's sockets."""
    return f"user.{user_id}"


def reply_group(reply_id: uuid.UUID) -> str:
    """Name the group of the sockets that follow one reply."""
    return f"reply.{reply_id}"


class Relay:
    """Sends to groups from any thread, in order; without an event loop nothing is sent."""

    def __init__(self) -> None:
        """Start without a loop."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._waiting: collections.deque[tuple[str, dict[str, Any]]] = collections.deque()
        self._sending: asyncio.Task[None] | None = None

    def bind(self) -> None:
        """Use the running event loop, unless there is one of its own; each socket calls this."""
        with self._lock:
            if self._thread is None:
                self._use(asyncio.get_running_loop())

    def release(self) -> None:
        """Send nothing any more through a loop that sockets brought: it is about to close."""
        with self._lock:
            if self._thread is None:
                self._loop = None

    def serve(self) -> None:
        """Use an event loop of its own from now on, on a thread; calling it twice is harmless."""
        with self._lock:
            if self._thread is not None:
                return
            loop = asyncio.new_event_loop()
            self._use(loop)
            self._thread = threading.Thread(target=loop.run_forever, name="relay", daemon=True)
            self._thread.start()

    def send(self, group: str, event: dict[str, Any]) -> None:
        """Hand an event to the group; returns at once, and never raises for a lost one."""
        with self._lock:
            loop = self._loop
        if loop is None or loop.is_closed():
            return
        # Closed in between: the process is ending, and nobody listens any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._start_sending, group, event)

    def _use(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            self._loop, self._sending = loop, None
            self._waiting = collections.deque(maxlen=MAX_WAITING)

    def _start_sending(self, group: str, event: dict[str, Any]) -> None:
        """Send in the loop's own thread, one after the other; a slow layer keeps the order too.

        A loop that is not used any more sends nothing: it may close before the task runs.
        """
        if asyncio.get_running_loop() is not self._loop:
            return
        self._waiting.append((group, event))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_waiting())

    async def _send_waiting(self) -> None:
        waiting = self._waiting
        while waiting:
            await _send(*waiting.popleft())


async def _send(group: str, event: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        await layer.group_send(group, event)
    except (ChannelFull, OSError, RedisError) as error:
        logger.warning("relay: an event for %s was lost: %s", group, error)


relay = Relay()
