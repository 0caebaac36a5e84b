"""What was measured, and the ratios of what stands side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from inference.bench.probes import Probe


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of a contestant in one round of a group, with the machine's speed around it.

    Names end in their unit.
    """

    group: str
    round: int
    contestant: str
    figure: str
    value: float
    probe: Probe


@dataclass(slots=True)
class Results:
    """All figures in the order of measuring, and what went wrong, in words."""

    measured: list[Measured] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def median(self, contestant: str, figure: str) -> float | None:
        """Return the median of all rounds and groups, for showing; None without any."""
        values = [found.value for found in self._find(contestant, figure)]
        return statistics.median(values) if values else None

    def largest(self, contestant: str, figure: str) -> float | None:
        """Return the largest of all rounds and groups; None without any."""
        return max((found.value for found in self._find(contestant, figure)), default=None)

    def ratio(self, ours: str, peer: str, figure: str, peer_figure: str = "") -> float | None:
        """Return the median over the rounds of ours ÷ the peer's of the same round and group."""
        peers = {
            (found.group, found.round): found.value
            for found in self._find(peer, peer_figure or figure)
        }
        ratios = [
            found.value / peers[found.group, found.round]
            for found in self._find(ours, figure)
            if peers.get((found.group, found.round))
        ]
        return statistics.median(ratios) if ratios else None

    def floor_ratio(self, ours: str, figure: str, floor: Callable[[Probe], float]) -> float | None:
        """Return the median of ours ÷ what the machine's speed around it would allow."""
        ratios = [found.value / floor(found.probe) for found in self._find(ours, figure)]
        return statistics.median(ratios) if ratios else None

    def floor(self, ours: str, figure: str, floor: Callable[[Probe], float]) -> float | None:
        """Return the median of what the machine's speed around a figure would allow."""
        floors = [floor(found.probe) for found in self._find(ours, figure)]
        return statistics.median(floors) if floors else None

    def _find(self, contestant: str, figure: str) -> Iterator[Measured]:
        return (
            found
            for found in self.measured
            if found.contestant == contestant and found.figure == figure
        )
