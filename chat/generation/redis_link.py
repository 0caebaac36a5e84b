"""The one way from generation to Redis, which may be away at any moment.

Nothing that Redis holds is needed: every caller has something to do without it. So nobody waits
long, and after a failure nobody asks again for a while. Thread-safe.
"""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

TIMEOUT_S = 1.0
REST_S = 1.0  # after a failure; a server that does not answer costs a writer half its time at most
Result = TypeVar("Result")


class RedisAwayError(Exception):
    """Redis did not do what it was asked; the caller goes on without."""


class RedisLink:
    """Runs commands on one server, and leaves it alone for a while after a failure."""

    def __init__(self, url: str, *, rest_s: float = REST_S) -> None:
        """Prepare; connections are made when needed."""
        # Untyped: redis-py gives the commands of its two clients, waiting and awaited, one type.
        # One retry: a pooled connection may have died with an earlier server.
        self.redis: Any = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        self._rest_s = rest_s
        self._away_until = 0.0

    def run(self, work: Callable[[Any], Result]) -> Result:
        """Give `work` the client, and its result back.

        Raises:
            RedisAwayError: the server is not reached, or refused; `work` may still have happened.
        """
        if time.monotonic() < self._away_until:
            raise RedisAwayError("it failed a moment ago")
        try:
            return work(self.redis)
        except (RedisConnectionError, RedisTimeoutError) as error:
            self._away_until = time.monotonic() + self._rest_s
            logger.warning("redis: not reached: %s", error)
            raise RedisAwayError(str(error)) from error
        except RedisError as error:
            logger.warning("redis: refused: %s", error)
            raise RedisAwayError(str(error)) from error

    def is_reached(self) -> bool:
        """Whether the server answers."""
        try:
            return bool(self.run(lambda redis: redis.ping()))
        except RedisAwayError:
            return False


@functools.cache
def redis_link() -> RedisLink:
    """Give this process's link to REDIS_URL; call it only where that is set."""
    return RedisLink(settings.REDIS_URL)
