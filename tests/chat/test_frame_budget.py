"""How many frames a socket may send."""

from __future__ import annotations

import pytest

from chat.frame_budget import BURST_S, BYTES_PER_FRAME, FrameBudget

PER_S = 10


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Start at zero."""
    return Clock()


def count_passing(budget: FrameBudget, size_bytes: int = 0, tries: int = 1000) -> int:
    """Count the frames that pass before the first that does not."""
    return next(number for number in range(tries) if not budget.spend(size_bytes))


def test_a_burst_passes_and_no_more(clock: Clock) -> None:
    assert count_passing(FrameBudget(PER_S, clock)) == PER_S * BURST_S


def test_time_gives_frames_back(clock: Clock) -> None:
    budget = FrameBudget(PER_S, clock)
    for _ in range(100):
        assert budget.spend(0)
        clock.now += 1 / PER_S


def test_a_long_silence_saves_up_no_more_than_a_burst(clock: Clock) -> None:
    budget = FrameBudget(PER_S, clock)
    clock.now = 1_000_000

    assert count_passing(budget) == PER_S * BURST_S


def test_a_large_frame_counts_as_several(clock: Clock) -> None:
    assert count_passing(FrameBudget(PER_S, clock), 10 * BYTES_PER_FRAME) == BURST_S
