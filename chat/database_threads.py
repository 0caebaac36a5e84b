"""The threads on which sockets and event streams do their queries: few, whoever many those are.

Channels gives each socket a thread of its own, or all of them one. The first cost 120 KiB a socket
that had ever asked the database, and a connection pool has no room for thousands; the second lets
one slow query keep everybody. Each socket still awaits its queries one after the other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from channels.db import database_sync_to_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

THREADS = 32  # above VL_DATABASE_CONNECTIONS by default: a few wait for pictures to be decoded

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")


def in_thread(work: Callable[Arguments, Result]) -> Callable[Arguments, Awaitable[Result]]:
    """Give the same function to await; the connection it uses is closed, or back in its pool."""
    return database_sync_to_async(work, thread_sensitive=False, executor=_threads)
