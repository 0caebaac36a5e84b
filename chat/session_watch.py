"""Finds out within seconds that a connected person is signed out, expired or deactivated.

One look serves all sockets of the process: 2 queries every `WATCH_S`, a third where API keys opened
some, none without sockets. A look at the tables sees every way of ending a session or a key, on any
instance and in the admin.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import uuid
from typing import TYPE_CHECKING

from channels.db import database_sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from chat.key_sign_in import KEY_CREDENTIAL
from chat.services import api_keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

WATCH_S = 3.0


class SessionWatch:
    """Calls a socket's `on_end` once its session no longer holds."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._sockets: dict[object, tuple[str, int, Callable[[], Awaitable[None]]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()

    def add(
        self,
        socket: object,
        *,
        session_key: str,
        user_id: int,
        on_end: Callable[[], Awaitable[None]],
    ) -> None:
        """Watch a socket; the first one starts the task.

        For one that an API key opened, `session_key` is what `key_sign_in.credential_of` says.
        """
        self._sockets[socket] = (session_key, user_id, on_end)
        is_running = self._task is not None and not self._task.done()
        if not is_running or self._task.get_loop() is not asyncio.get_running_loop():  # type: ignore[union-attr]  # running means not None
            # In a context of its own: the first socket's database thread ends with that socket.
            self._task = asyncio.create_task(self._watch(), context=contextvars.Context())

    def discard(self, socket: object) -> None:
        """Watch the socket no longer; the last one ends the task."""
        self._sockets.pop(socket, None)
        if not self._sockets and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            watched = dict(self._sockets)
            pairs = {(key, user_id) for key, user_id, _ in watched.values()}
            try:
                valid = await database_sync_to_async(_still_valid)(pairs)
            except DatabaseError:
                logger.exception("session watch: the database did not answer; trying again")
                continue
            for socket, (key, user_id, on_end) in watched.items():
                if (key, user_id) not in valid and socket in self._sockets:
                    # In a task of its own: one that is slow to hear it keeps nobody else.
                    ending = asyncio.create_task(_end(on_end))
                    self._endings.add(ending)
                    ending.add_done_callback(self._endings.discard)


async def _end(on_end: Callable[[], Awaitable[None]]) -> None:
    """End one socket; whatever happens to it must not end the watch over the others."""
    try:
        await on_end()
    except Exception:
        logger.exception("session watch: a socket could not be closed")


def _still_valid(pairs: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Give those (session key, user id) that still hold."""
    by_key = {pair for pair in pairs if pair[0].startswith(KEY_CREDENTIAL)}
    return _valid_sessions(pairs - by_key) | (_valid_keys(by_key) if by_key else set())


def _valid_keys(pairs: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Give those whose API key still opens something."""
    ids = {uuid.UUID(key.removeprefix(KEY_CREDENTIAL)): (key, user_id) for key, user_id in pairs}
    return {ids[key_id] for key_id in api_keys.still_valid(ids.keys())}


def _valid_sessions(pairs: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Give those whose session is live, of an active person, the password unchanged."""
    keys = [key for key, _ in pairs]
    live = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    hashes = {row.session_key: row.get_decoded().get(HASH_SESSION_KEY, "") for row in live}
    active = get_user_model().objects.filter(is_active=True)
    users = active.in_bulk([user_id for _, user_id in pairs])
    return {
        (key, user_id)
        for key, user_id in pairs
        if key in hashes
        and user_id in users
        and constant_time_compare(hashes[key], users[user_id].get_session_auth_hash())
    }


session_watch = SessionWatch()
