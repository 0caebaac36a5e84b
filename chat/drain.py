"""How a web process leaves: it says so, and sends its sockets elsewhere, before it ends.

A client that is closed with 1012 comes back after a moment of its own choosing and resumes, here
before anybody else knows that we leave, behind a proxy at another process.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


class Drain:
    """Knows the sockets of this process; used on its event loop alone."""

    def __init__(self) -> None:
        """Begin with no socket, and no wish to leave."""
        self.is_draining = False
        self._sockets: dict[object, Callable[[], Awaitable[None]]] = {}

    def add(self, socket: object, close: Callable[[], Awaitable[None]]) -> None:
        """Know a socket, and how it is closed with 1012."""
        self._sockets[socket] = close

    def discard(self, socket: object) -> None:
        """Forget a socket that is gone."""
        self._sockets.pop(socket, None)

    @property
    def sockets(self) -> int:
        """How many sockets are open; any thread may ask."""
        return len(self._sockets)

    async def run(self, *, notice_s: float, spread_s: float) -> None:
        """Say for `notice_s` that nothing new shall come; then close all within `spread_s`.

        They are spread at random, so that whoever takes them over is not hit by all at once.
        """
        self.is_draining = True
        await asyncio.sleep(notice_s)
        closing = [self._close(socket, spread_s) for socket in list(self._sockets)]
        logger.info("drain: %d sockets are sent elsewhere", len(closing))
        await asyncio.gather(*closing)

    async def _close(self, socket: object, spread_s: float) -> None:
        await asyncio.sleep(random.uniform(0, spread_s))  # noqa: S311 - no cryptography
        close = self._sockets.get(socket)
        if close is None:
            return
        try:
            await close()
        except Exception:  # one that cannot be closed must not keep the others
            logger.exception("drain: a socket could not be closed")


drain = Drain()
