"""Carries news from worker threads to the sockets, through the channel layer.

The layer may lose messages, so nothing here is a promise: text is numbered by offset and can be
read again from the reply log. A thread cannot await the layer, and the in-memory layer's queues
belong to one event loop: sends are handed to the loop that serves this process's sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer

if TYPE_CHECKING:
    import uuid

logger = logging.getLogger(__name__)

EVERYONE = "everyone"


def user_group(user_id: int) -> str:
    """Name the group of one person's sockets."""
    return f"user.{user_id}"


def reply_group(reply_id: uuid.UUID) -> str:
    """Name the group of the sockets that follow one reply."""
    return f"reply.{reply_id}"


class Relay:
    """Sends to groups from any thread; without a bound loop nobody listens, so nothing is sent."""

    def __init__(self) -> None:
        """Start unbound."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._sending: set[asyncio.Task[None]] = set()

    def bind(self) -> None:
        """Use the running event loop from now on; each socket calls this when it connects."""
        with self._lock:
            self._loop = asyncio.get_running_loop()

    def send(self, group: str, event: dict[str, Any]) -> None:
        """Hand an event to the group; returns at once, and never raises for a lost one."""
        with self._lock:
            loop = self._loop
        if loop is None or loop.is_closed():
            return
        # Closed in between: the process is ending, and nobody listens any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._start_sending, group, event)

    def _start_sending(self, group: str, event: dict[str, Any]) -> None:
        """Send in the loop's own thread; the loop itself keeps only a weak hold on tasks."""
        task = asyncio.get_running_loop().create_task(_send(group, event))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


async def _send(group: str, event: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        await layer.group_send(group, event)
    except (ChannelFull, OSError) as error:
        logger.warning("relay: an event for %s was lost: %s", group, error)


relay = Relay()
