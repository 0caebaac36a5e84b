"""How much time of the server one person may take, so that what is costly keeps nobody else.

A request of a hundred bytes can have a page drawn that takes the whole of `VL_DECODE_S`, or a long
conversation of costly Markdown rendered; counting requests would not tell it from one that takes a
moment. So what is counted is the time.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from django.conf import settings

from chat.errors import ChatError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WINDOW_S = 60.0


class Shares:
    """The seconds that each person took within the last minute; threads may call at once.

    Of this process. What is being done counts when it is done, so a person may go over by as much
    as is done at once.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing; `clock` gives seconds and only moves forward.

        `VL_PERSON_<what>_S_PER_MINUTE` are the seconds of a share; 0 is without a limit.
        """
        self._setting = f"VL_PERSON_{what}_S_PER_MINUTE"
        self._clock = clock
        self._lock = Lock()
        self._taken: dict[int, deque[tuple[float, float]]] = {}  # when it was done, and its seconds

    def check(self, person_id: int) -> None:
        """Refuse who has had their share.

        Raises:
            ChatError: rate_limited, with the seconds until there is room again.
        """
        limit: int = getattr(settings, self._setting)
        with self._lock:
            taken = self._recent(person_id)
            if limit and sum(seconds for _, seconds in taken) >= limit:
                free_at = taken[0][0] + WINDOW_S
                raise ChatError(
                    ErrorCode.RATE_LIMITED, retry_after_s=max(1.0, free_at - self._clock())
                )

    def add(self, person_id: int, seconds: float) -> None:
        """Count what somebody took."""
        with self._lock:
            self._recent(person_id).append((self._clock(), seconds))
            for idle in [each for each in self._taken if not self._recent(each)]:
                del self._taken[idle]

    @contextmanager
    def taking(self, person_id: int) -> Iterator[None]:
        """Count the processor time that this thread takes inside.

        Raises:
            ChatError: rate_limited, before anything is done.
        """
        self.check(person_id)
        with self.counting(person_id):
            yield

    @contextmanager
    def counting(self, person_id: int) -> Iterator[None]:
        """Count as `taking` does, and refuse nobody: for the rest of what has begun."""
        began_s = time.thread_time()
        try:
            yield
        finally:
            self.add(person_id, time.thread_time() - began_s)

    def _recent(self, person_id: int) -> deque[tuple[float, float]]:
        taken = self._taken.setdefault(person_id, deque())
        while taken and taken[0][0] <= self._clock() - WINDOW_S:
            taken.popleft()
        return taken


rendering_shares = Shares("RENDER")
