"""The sending side of one socket: it waits for a slow reader, and ends with one that is too slow.

Where the server's `send` waits until the reader keeps up, what a socket is told waits with it: the
channel layer drops what is relayed meanwhile, and the reader is caught up from the log.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from chat.protocol import CloseCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


class SocketSender:
    """Sends text and closes, once; after that everything is left unsaid."""

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        close: Callable[[int], Awaitable[None]],
        *,
        stall_s: float,
    ) -> None:
        """Begin open; a reader that takes nothing for `stall_s` is closed with 4408."""
        self._send = send
        self._close = close
        self._stall_s = stall_s
        self._waiting = 0
        self.has_closed = False

    @property
    def is_waiting(self) -> bool:
        """Whether the reader has yet to take what was sent."""
        return self._waiting > 0

    async def send(self, text: str) -> None:
        """Send, and wait until the reader keeps up."""
        if self.has_closed:
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(self._stall_s):
                await self._send(text)
        except TimeoutError:
            logger.info("socket: nothing was taken for %g s: closed with 4408", self._stall_s)
            await self.close(CloseCode.TOO_SLOW)
        finally:
            self._waiting -= 1

    async def close(self, code: CloseCode) -> None:
        """Close with this code, unless it is closed already."""
        if not self.has_closed:
            self.has_closed = True
            await self._close(int(code))
