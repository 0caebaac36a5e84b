"""What is to be reached: ratios of ours to a peer's or to the machine's floor, and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from inference.bench.contestants import (
    LLAMA_Q4,
    LLAMA_Q8,
    OPENVINO_INT8,
    OURS_INT4,
    OURS_INT8,
    PEERS,
    TRANSFORMERS,
)
from inference.bench.probes import Probe
from inference.bench.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """What the arithmetic needs at least; see `work`."""

    vision_ops: int
    first_word_ops: int
    token_bytes: int

    def vision_s(self, probe: Probe) -> float:
        """Return the least seconds of the vision tower."""
        return self.vision_ops / probe.peak_ops_s

    def first_word_s(self, probe: Probe) -> float:
        """Return the least seconds to the first word."""
        return self.first_word_ops / probe.peak_ops_s

    def tokens_per_s(self, probe: Probe) -> float:
        """Return the most tokens a second that merely reading the packed weights allows."""
        return probe.streaming_bytes_s / self.token_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table; `ratio` and `peer` are None where nothing was measured.

    `is_reached` is also False where it was not measured: `reason` then says why.
    """

    figure: str
    ours: float | None
    against: str
    peer: float | None
    ratio: float | None
    reach: str
    is_reached: bool
    reason: str = ""

    @property
    def name(self) -> str:
        """Return what tells it from all other rows."""
        return f"{self.figure} against {self.against}"


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a ratio: at most for what should be small, at least for what should be large."""

    bound: float
    is_least: bool = False

    def __str__(self) -> str:
        """Return it as the table shows it."""
        return f"{'≥' if self.is_least else '≤'} {self.bound:g}"

    def holds(self, ratio: float | None) -> bool:
        """Say whether a ratio reaches it."""
        if ratio is None:
            return False
        return ratio >= self.bound if self.is_least else ratio <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """Ours beside a peer's: title, figure, who, against whom, and how far ahead."""

    title: str
    figure: str
    goal: Goal
    peer: str
    ours: str = OURS_INT8
    peer_figure: str = ""


_SIDES = (
    _Side(title="first word", figure="first_s", goal=Goal(0.5), peer=TRANSFORMERS),
    _Side(title="first word", figure="first_s", goal=Goal(0.4), peer=LLAMA_Q8),
    _Side(title="first word", figure="first_s", goal=Goal(0.7), peer=OPENVINO_INT8),
    _Side(title="vision tower", figure="vision_s", goal=Goal(0.7), peer=OPENVINO_INT8),
    _Side(
        title="text prefill",
        figure="prefill_tokens_per_s",
        goal=Goal(2.8, is_least=True),
        peer=LLAMA_Q8,
    ),
    _Side(
        title="decode", figure="decode_tokens_per_s", goal=Goal(1.25, is_least=True), peer=LLAMA_Q8
    ),
    _Side(
        title="decode",
        figure="decode_tokens_per_s",
        goal=Goal(1.4, is_least=True),
        peer=OPENVINO_INT8,
    ),
    _Side(
        title="decode int4",
        figure="decode_tokens_per_s",
        goal=Goal(1.1, is_least=True),
        ours=OURS_INT4,
        peer=LLAMA_Q4,
    ),
    _Side(title="follow-up", figure="follow_up_first_s", goal=Goal(0.3), peer=LLAMA_Q8),
    _Side(title="same picture", figure="same_picture_first_s", goal=Goal(0.5), peer=LLAMA_Q8),
    _Side(title="8 people, wall", figure="crowd_wall_s", goal=Goal(0.7), peer=OPENVINO_INT8),
    _Side(
        title="8 people, first word", figure="crowd_first_s", goal=Goal(0.55), peer=OPENVINO_INT8
    ),
    _Side(
        title="8 people decoding",
        figure="crowd_tokens_per_s",
        goal=Goal(3.5, is_least=True),
        peer=OURS_INT8,
        peer_figure="alone_tokens_per_s",
    ),
)
_LIMITS = (
    ("peak memory, GB", OURS_INT8, "peak_bytes", 1e9, Goal(3.4)),
    ("peak memory int4, GB", OURS_INT4, "peak_bytes", 1e9, Goal(2.6)),
    ("second start, s", OURS_INT8, "start_s", 1.0, Goal(3.0)),
)
_DRAFTS = (
    ("drafts, repetitive", "repetitive", Goal(1.8, is_least=True)),
    ("drafts, prose", "prose", Goal(0.97, is_least=True)),
)
_SHOWN = (OURS_INT8, OURS_INT4, *PEERS)


def judge(
    results: Results,
    floors: Floors,
    drafts: Mapping[str, float],
    missing: Mapping[str, str],
) -> list[Row]:
    """Return all rows; `missing` says of contestants and of `drafts` why they are not there."""
    return [
        *_judge_sides(results, missing),
        *_judge_floors(results, floors, missing),
        *_judge_limits(results, missing),
        *_judge_drafts(drafts, missing),
    ]


def format_table(rows: Sequence[Row]) -> str:
    """Return the rows as text, a line each."""
    heads = ("figure", "ours", "against", "theirs", "ratio", "reach", "reached")
    lines = [heads, *(_format_row(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


class Summary(TypedDict):
    """What the last line says: whether all is reached, which rows are short, and all figures.

    Ratios and reasons are by the name of the row, figures by contestant.
    """

    reached: bool
    short: list[str]
    skipped: dict[str, str]
    ratios: dict[str, float]
    figures: dict[str, dict[str, float]]
    problems: list[str]


def summarize(rows: Sequence[Row], results: Results) -> Summary:
    """Return a run in one value."""
    figures = {
        contestant: {
            figure: round(value, 4)
            for figure in dict.fromkeys(found.figure for found in results.measured)
            if (value := results.median(contestant, figure)) is not None
        }
        for contestant in _SHOWN
    }
    return {
        "reached": all(row.is_reached for row in rows),
        "short": [row.name for row in rows if not row.is_reached],
        "skipped": {row.name: row.reason for row in rows if row.reason},
        "ratios": {row.name: round(row.ratio, 3) for row in rows if row.ratio is not None},
        "figures": {name: found for name, found in figures.items() if found},
        "problems": results.problems,
    }


def _judge_sides(results: Results, missing: Mapping[str, str]) -> Iterator[Row]:
    for side in _SIDES:
        ratio = results.ratio(side.ours, side.peer, side.figure, side.peer_figure)
        yield _make_row(
            side.title,
            side.goal,
            ours=results.median(side.ours, side.figure),
            against="one person" if side.peer_figure else side.peer,
            peer=results.median(side.peer, side.peer_figure or side.figure),
            ratio=ratio,
            reason=_find_reason(missing, side.ours, side.peer),
        )


def _judge_floors(results: Results, floors: Floors, missing: Mapping[str, str]) -> Iterator[Row]:
    judged: tuple[tuple[str, str, str, Callable[[Probe], float], Goal], ...] = (
        ("first word", "first_s", "its int8 operations", floors.first_word_s, Goal(1.5)),
        ("vision tower", "vision_s", "its int8 operations", floors.vision_s, Goal(1.7)),
        (
            "decode",
            "decode_tokens_per_s",
            "streaming the weights",
            floors.tokens_per_s,
            Goal(0.9, is_least=True),
        ),
    )
    for title, figure, against, floor, goal in judged:
        yield _make_row(
            title,
            goal,
            ours=results.median(OURS_INT8, figure),
            against=against,
            peer=results.floor(OURS_INT8, figure, floor),
            ratio=results.floor_ratio(OURS_INT8, figure, floor),
            reason=_find_reason(missing, OURS_INT8),
        )


def _judge_limits(results: Results, missing: Mapping[str, str]) -> Iterator[Row]:
    for title, ours, figure, unit, goal in _LIMITS:
        value = results.largest(ours, figure)
        value = None if value is None else value / unit
        yield _make_row(
            title,
            goal,
            ours=value,
            against="the limit",
            peer=goal.bound,
            ratio=value,
            reason=_find_reason(missing, ours),
        )


def _judge_drafts(drafts: Mapping[str, float], missing: Mapping[str, str]) -> Iterator[Row]:
    for title, name, goal in _DRAFTS:
        yield _make_row(
            title,
            goal,
            ours=None,
            against="no drafts",
            peer=None,
            ratio=drafts.get(name),
            reason=_find_reason(missing, "drafts"),
        )


def _make_row(  # noqa: PLR0913  # a row's own columns
    figure: str,
    goal: Goal,
    *,
    ours: float | None,
    against: str,
    peer: float | None,
    ratio: float | None,
    reason: str,
) -> Row:
    return Row(
        figure=figure,
        ours=ours,
        against=against,
        peer=peer,
        ratio=ratio,
        reach=str(goal),
        is_reached=goal.holds(ratio),
        reason="" if ratio is not None else reason,
    )


def _find_reason(missing: Mapping[str, str], *names: str) -> str:
    """Return why a row has no ratio: who is not there, or that the run reported it above."""
    reasons = [f"{name}: {missing[name]}" for name in names if name in missing]
    return "; ".join(reasons) or "not measured, see the problems"


def _format_row(row: Row) -> tuple[str, ...]:
    reached = "yes" if row.is_reached else "no"
    return (
        row.figure,
        _format(row.ours),
        row.against,
        _format(row.peer),
        _format(row.ratio),
        row.reach,
        f"skipped: {row.reason}" if row.reason else reached,
    )


def _format(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
