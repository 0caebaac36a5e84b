"""How often somebody may do what costs: by person and by address, over all instances together.

The counts are in Redis where REDIS_URL is set, exact however many processes share them, and in this
process otherwise. While Redis is away each process counts by itself: people go on talking, and a
flood still meets a limit. Synchronous; call it from a thread.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from chat.errors import ChatError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from limits import RateLimitItem

logger = logging.getLogger(__name__)

TIMEOUT_S = 1.0
REST_S = 1.0  # after a failure nobody asks Redis for so long
IPV6_PREFIX = 64  # what one household or machine has to choose its addresses from


@dataclass(frozen=True, slots=True)
class Rate:
    """Something that is counted; `VL_PERSON_…` and `VL_ADDRESS_…` say how much of it a minute."""

    name: str

    @property
    def a_person(self) -> int:
        """How many a minute one person may; 0 is any number."""
        return self._setting("PERSON")

    @property
    def an_address(self) -> int:
        """How many a minute may come from one address; 0 is any number."""
        return self._setting("ADDRESS")

    def _setting(self, whose: str) -> int:
        number: int = getattr(settings, f"VL_{whose}_{self.name.upper()}_PER_MINUTE")
        return number


TURNS = Rate("turns")
UPLOADS = Rate("uploads")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something, and from where: a client's address as `vlsite.proxies` leaves it."""

    person_id: int
    address: str


class RateLimits:
    """Counts over moving windows of a minute."""

    def __init__(self, redis_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare; without a URL everything is counted here. `clock` gives seconds."""
        self._here = MovingWindowRateLimiter(MemoryStorage())
        self._shared = _shared(redis_url) if redis_url else None
        self._clock = clock
        self._away_until = 0.0

    def spend(self, rate: Rate, caller: Caller, amount: int = 1) -> None:
        """Count something that is about to happen: 1 or 2 commands to Redis.

        What is refused for the address has still been counted for the person.

        Raises:
            ChatError: rate_limited, with `retry_after_s`.
        """
        counted = (
            (rate.a_person, _person_key(caller.person_id)),
            (rate.an_address, f"address-{network_of(caller.address)}"),
        )
        for limit, whose in counted:
            if limit and amount:
                # More at once than a minute's worth would never be let through.
                item = RateLimitItemPerMinute(limit)
                self._hit(item, (rate.name, whose), min(amount, limit))

    def forget(self, person_id: int) -> None:
        """Let go of what was counted for somebody who is gone; up to 2 commands to Redis.

        While Redis is away nothing is done: what it has of this is gone by itself after a minute.
        """
        whose = _person_key(person_id)
        for limiter in filter(None, (self._here, self._shared)):
            with contextlib.suppress(StorageError):
                for rate in (TURNS, UPLOADS):
                    if rate.a_person:
                        limiter.clear(RateLimitItemPerMinute(rate.a_person), rate.name, whose)

    def _hit(self, item: RateLimitItem, names: tuple[str, str], amount: int) -> None:
        if self._shared is not None and self._clock() >= self._away_until:
            try:
                _hit_or_refuse(self._shared, item, names, amount)
            except StorageError as error:
                self._away_until = self._clock() + REST_S
                logger.warning("rate limits: counting alone, Redis is away: %s", error)
            else:
                return
        _hit_or_refuse(self._here, item, names, amount)


def spend_turn(caller: Caller, images: Sequence[str] | None = ()) -> None:
    """Count a turn that is asked for, and the pictures that come inside of its frame.

    Raises:
        ChatError: rate_limited.
    """
    rate_limits().spend(TURNS, caller)
    uploads = sum(image.startswith("data:") for image in images or ())
    rate_limits().spend(UPLOADS, caller, uploads)


def _person_key(person_id: int) -> str:
    return f"person-{person_id}"


def _hit_or_refuse(
    limiter: MovingWindowRateLimiter, item: RateLimitItem, names: tuple[str, str], amount: int
) -> None:
    if not limiter.hit(item, *names, cost=amount):
        # When the oldest one leaves the window there is room for one more.
        left_s = limiter.get_window_stats(item, *names).reset_time - time.time()
        raise ChatError(ErrorCode.RATE_LIMITED, retry_after_s=max(1.0, round(left_s, 1)))


def _shared(redis_url: str) -> MovingWindowRateLimiter:
    # One retry: a pooled connection may have died with an earlier server.
    options: dict[str, Any] = {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "retry": Retry(NoBackoff(), 1),
    }
    return MovingWindowRateLimiter(
        RedisStorage(redis_url, key_prefix="vl-rates", wrap_exceptions=True, **options)
    )


def network_of(address: str) -> str:
    """Give what counts as one address: an IPv4 address, or the /64 that an IPv6 address is in."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"  # such as the other end of a Unix socket: all of them together
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


@functools.cache
def rate_limits() -> RateLimits:
    """Give this process's limits."""
    return RateLimits(settings.REDIS_URL)
