"""How many tokens there were, and how many a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 5.0


class TokenRate:
    """Counts tokens as they come; for one thread at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start at zero."""
        self._clock = clock
        self._counts: deque[tuple[float, int]] = deque()
        self.total = 0

    @property
    def tokens_per_s(self) -> float:
        """Return the mean of the last five seconds."""
        self._forget_old(self._clock())
        return round(sum(count for _, count in self._counts) / WINDOW_S, 2)

    def count(self, tokens: int = 1) -> None:
        """Take note of some tokens, chosen now."""
        now = self._clock()
        self._forget_old(now)
        self._counts.append((now, tokens))
        self.total += tokens

    def _forget_old(self, now: float) -> None:
        while self._counts and self._counts[0][0] < now - WINDOW_S:
            self._counts.popleft()
