"""What the engine says about itself at one moment, and the counting of chosen tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inference.engine.kv_cache import CacheStats
from inference.engine.picture_cache import PictureCacheStats

WINDOW_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """The engine at one moment.

    `running` requests hold memory, and `decoding` of them are writing their answer; `waiting` ones
    do not yet. `tokens_per_s` is the speed of all answers together over the last five seconds,
    `chosen_tokens` their number since the start. Of `drafted_tokens`, which took a row each,
    `kept_tokens` were the chosen ones.
    """

    running: int
    waiting: int
    decoding: int
    tokens_per_s: float
    chosen_tokens: int
    drafted_tokens: int
    kept_tokens: int
    cache: CacheStats
    pictures: PictureCacheStats


class TokenMeter:
    """Counts tokens: chosen ones, how many a second, drafted ones, and those of them kept."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start at zero."""
        self._clock = clock
        self._times: deque[float] = deque()
        self.total = 0
        self.drafted = 0
        self.kept = 0

    @property
    def tokens_per_s(self) -> float:
        """Return the mean of the last five seconds."""
        self._forget_old(self._clock())
        return round(len(self._times) / WINDOW_S, 2)

    def count(self) -> None:
        """Take note of one token, chosen now."""
        now = self._clock()
        self._forget_old(now)
        self._times.append(now)
        self.total += 1

    def _forget_old(self, now: float) -> None:
        while self._times and self._times[0] < now - WINDOW_S:
            self._times.popleft()
