"""The two directions of one connection: room for what goes out, a bound for what came in."""

from __future__ import annotations

import asyncio
from typing import Any

WAITING_BYTES = 64 * 1024  # of frames that the application has not taken; then TCP holds back


class Room:
    """Whether the transport takes more: a push producer to Twisted, awaited by ASGI's `send`.

    Twisted pauses it when more than 64 KiB wait in this process for the kernel to take them, and
    resumes it when none do.
    """

    def __init__(self) -> None:
        """Begin with room."""
        self._free = asyncio.Event()
        self._free.set()

    def pauseProducing(self) -> None:
        """Hear that the reader does not keep up."""
        self._free.clear()

    def resumeProducing(self) -> None:
        """Hear that all was taken."""
        self._free.set()

    stopProducing = resumeProducing

    async def wait(self) -> None:
        """Wait until there is room, or nobody to send to."""
        await self._free.wait()


class Inbound:
    """Counts what waits for the application, and stops reading while it is too much."""

    def __init__(self, transport: Any) -> None:
        """Begin with nothing; `transport` is Twisted's."""
        self._transport = transport
        self._waiting_bytes = 0
        self._is_paused = False

    def arrived(self, size_bytes: int) -> None:
        """Count a frame that was read."""
        self._waiting_bytes += size_bytes
        if self._waiting_bytes > WAITING_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pauseProducing()

    def taken(self, size_bytes: int) -> None:
        """Count a frame that the application took."""
        self._waiting_bytes -= size_bytes
        if self._waiting_bytes <= WAITING_BYTES and self._is_paused:
            self._is_paused = False
            self._transport.resumeProducing()
