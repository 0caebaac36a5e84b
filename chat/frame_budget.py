"""How many frames a socket, a person and an address may send: buckets that refill."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.conf import settings

from chat.rate_limits import network_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from chat.rate_limits import Caller

BURST_S = 3.0  # a page that comes back says several things at once
BYTES_PER_FRAME = 64 * 1024  # a large frame counts as several
FEW = 1024  # budgets, which may be kept although they are full again


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
        self._left = self._refilled() - max(1.0, size_bytes / BYTES_PER_FRAME)
        self._looked_at = self._clock()
        return self._left >= 0

    @property
    def is_full(self) -> bool:
        """Whether nothing would be lost if it began anew."""
        return self._refilled() >= self._per_s * BURST_S

    def _refilled(self) -> float:
        passed_s = self._clock() - self._looked_at
        return min(self._left + passed_s * self._per_s, self._per_s * BURST_S)


class SharedBudgets:
    """A budget for each person, or for each address, over all of their sockets at this process."""

    def __init__(self, setting: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with everybody's full; `setting` names how many frames a second one may send."""
        self._setting = setting
        self._clock = clock
        self._budgets: dict[int | str, FrameBudget] = {}
        self._most = FEW

    def spend(self, whose: int | str, size_bytes: int) -> bool:
        """Take one frame of this size out of somebody's; False when there is not enough for it."""
        budget = self._budgets.get(whose) or self._add(whose)
        return budget.spend(size_bytes)

    @property
    def count(self) -> int:
        """How many budgets are kept."""
        return len(self._budgets)

    def _add(self, whose: int | str) -> FrameBudget:
        if len(self._budgets) >= self._most:
            self._budgets = {key: each for key, each in self._budgets.items() if not each.is_full}
            self._most = max(FEW, 2 * len(self._budgets))
        budget = FrameBudget(getattr(settings, self._setting), self._clock)
        self._budgets[whose] = budget
        return budget


_of_people = SharedBudgets("VL_PERSON_FRAMES_PER_S")
_of_addresses = SharedBudgets("VL_ADDRESS_FRAMES_PER_S")


class SocketBudget:
    """What one socket may send: of its own budget, its person's and its address's."""

    def __init__(self, caller: Caller) -> None:
        """Begin with a full budget of its own."""
        self._own = FrameBudget(settings.VL_SOCKET_FRAMES_PER_S)
        self._person = caller.person_id
        self._address = network_of(caller.address)

    def spend(self, size_bytes: int) -> bool:
        """Take one frame of this size out; False when one of the three has not enough for it."""
        return (
            self._own.spend(size_bytes)
            and _of_people.spend(self._person, size_bytes)
            and _of_addresses.spend(self._address, size_bytes)
        )
