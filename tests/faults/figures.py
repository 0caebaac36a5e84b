"""What the fault suite measured: one line of its table for each fault, and one of JSON for all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: the fault, the figure to reach, what was measured, and what was wrong.

    `wrong` is empty when the figure was reached; `runs` says how often the fault was injected.
    """

    fault: str
    goal: str
    runs: int
    measured: Mapping[str, float]
    wrong: list[str] = field(default_factory=list)

    @property
    def is_reached(self) -> bool:
        """Whether nothing was wrong, and the fault was injected at all."""
        return not self.wrong and self.runs > 0


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the smallest value that so many percent of the values do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def table(figures: Sequence[Figure], of: str = "fault") -> str:
    """Write the figures for people, a row each; `of` says what each row is."""
    lines = [f"| {of} | goal | runs | measured | reached |", "|---|---|---|---|---|"]
    for each in figures:
        measured = ", ".join(f"{name} {value:g}" for name, value in each.measured.items())
        reached = "yes" if each.is_reached else "**no**: " + "; ".join(each.wrong[:3] or ["no run"])
        lines.append(f"| {each.fault} | {each.goal} | {each.runs} | {measured} | {reached} |")
    return "\n".join(lines)


def summary(figures: Sequence[Figure], **facts: object) -> str:
    """Write one line of JSON: whether all was reached, and which rows fell short."""
    short = [each.fault for each in figures if not each.is_reached]
    return json.dumps(
        {
            "reached": not short and bool(figures),
            "short": short,
            **facts,
            "figures": {each.fault: {"runs": each.runs, **each.measured} for each in figures},
        }
    )
