"""How many frames one socket may send: a bucket that refills."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_S = 3.0  # a page that comes back says several things at once
BYTES_PER_FRAME = 64 * 1024  # a large frame counts as several


class FrameBudget:
    """Lets `per_s` frames of 64 KiB pass in the long run, and three seconds' worth at once."""

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin full; `clock` gives seconds and only moves forward."""
        self._per_s = per_s
        self._clock = clock
        self._left = per_s * BURST_S
        self._looked_at = clock()

    def spend(self, size_bytes: int) -> bool:
        """Take one frame of this size out; False when there is not enough for it."""
        now = self._clock()
        refilled = self._left + (now - self._looked_at) * self._per_s
        self._looked_at = now
        self._left = min(refilled, self._per_s * BURST_S) - max(1.0, size_bytes / BYTES_PER_FRAME)
        return self._left >= 0
