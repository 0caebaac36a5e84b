"""How many frames a socket may send, a person, and an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chat import frame_budget
from chat.frame_budget import (
    BURST_S,
    BYTES_PER_FRAME,
    FEW,
    FrameBudget,
    SharedBudgets,
    SocketBudget,
)
from chat.rate_limits import Caller

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

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


def count_passing(
    budget: FrameBudget | SocketBudget, size_bytes: int = 0, tries: int = 1000
) -> int:
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


# Over all sockets of somebody ---------------------------------------------------------------


@pytest.fixture
def people(clock: Clock, settings: SettingsWrapper) -> SharedBudgets:
    """Give each person ten frames a second."""
    settings.VL_PERSON_FRAMES_PER_S = PER_S
    return SharedBudgets("VL_PERSON_FRAMES_PER_S", clock)


def test_one_person_uses_up_nothing_of_another(people: SharedBudgets) -> None:
    sent = [people.spend(user_id, 0) for _ in range(31) for user_id in (1, 2)]

    assert sent == [True] * 60 + [False] * 2


def test_a_budget_that_is_full_again_is_forgotten_when_there_are_many(
    people: SharedBudgets, clock: Clock
) -> None:
    for user_id in range(FEW):
        people.spend(user_id, 0)
    clock.now += 1
    while people.spend(0, 0):
        pass  # until this person has used up everything

    people.spend(FEW, 0)

    assert people.count == 2
    assert not people.spend(0, 0)


@pytest.mark.parametrize(
    ("other", "passing"),
    [(Caller(1, "198.51.100.9"), 0), (Caller(2, "203.0.113.9"), 0), (Caller(2, "::1"), 30)],
    ids=["the same person", "the same address", "somebody else elsewhere"],
)
def test_a_socket_shares_with_its_person_and_its_address(
    settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch, other: Caller, passing: int
) -> None:
    settings.VL_PERSON_FRAMES_PER_S = settings.VL_ADDRESS_FRAMES_PER_S = PER_S
    for name, whose in (("_of_people", "PERSON"), ("_of_addresses", "ADDRESS")):
        budgets = SharedBudgets(f"VL_{whose}_FRAMES_PER_S", Clock())
        monkeypatch.setattr(frame_budget, name, budgets)
    first, second = SocketBudget(Caller(1, "203.0.113.9")), SocketBudget(other)
    while first.spend(0):
        pass

    assert count_passing(second) == passing
