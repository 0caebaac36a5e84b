"""The channel layer's groups that one socket is in."""

from __future__ import annotations

from typing import Any


class SocketGroups:
    """Joins and leaves, and leaves all that is left at the end."""

    def __init__(self, layer: Any, channel: str) -> None:
        """Begin with none; `channel` is the socket's own."""
        self._layer = layer
        self._channel = channel
        self._joined: set[str] = set()

    async def join(self, group: str) -> None:
        """Hear what is sent to the group; joining twice is harmless."""
        self._joined.add(group)
        await self._layer.group_add(group, self._channel)

    async def leave(self, group: str) -> None:
        """Hear it no longer."""
        self._joined.discard(group)
        await self._layer.group_discard(group, self._channel)

    async def leave_all(self) -> None:
        """Leave every group."""
        for group in list(self._joined):
            await self.leave(group)
