"""How many event streams one person may hold open in this process.

A place is taken where the request is looked at, not where the stream begins: many requests at once
would else all be let in before the first of them counts.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from django.conf import settings

from chat.errors import ChatError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

BEGINS_WITHIN_S = 30.0  # of a client that went away meanwhile nobody hears
BUSY_RETRY_S = 5.0


@dataclass(slots=True, eq=False)
class Place:
    """One stream's: until it begins, it is kept for a while only."""

    user_id: int
    kept_until: float


class StreamPlaces:
    """Places taken, by person; views take them in threads, streams give them back in the loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none; `clock` gives seconds and only moves forward."""
        self._clock = clock
        self._lock = Lock()
        self._taken: dict[int, set[Place]] = {}

    def take(self, user_id: int) -> Place:
        """Take a place for a stream that is about to begin.

        Raises:
            ChatError: rate_limited, when this person has `VL_PERSON_STREAMS`.
        """
        with self._lock:
            now = self._clock()
            taken = {each for each in self._taken.get(user_id, ()) if each.kept_until > now}
            if len(taken) >= settings.VL_PERSON_STREAMS:
                raise ChatError(ErrorCode.RATE_LIMITED, retry_after_s=BUSY_RETRY_S)
            place = Place(user_id, kept_until=now + BEGINS_WITHIN_S)
            self._taken[user_id] = taken | {place}
            return place

    def begin(self, place: Place) -> None:
        """Keep the place until its stream ends."""
        with self._lock:
            place.kept_until = math.inf
            self._taken.setdefault(place.user_id, set()).add(place)

    def give_back(self, place: Place) -> None:
        """Let somebody else have it."""
        with self._lock:
            taken = self._taken.get(place.user_id, set())
            taken.discard(place)
            if not taken:
                self._taken.pop(place.user_id, None)


stream_places = StreamPlaces()
