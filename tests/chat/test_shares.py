"""Each person's share of the decoder's time, and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chat.errors import ChatError, ErrorCode
from chat.shares import Shares

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

ALICE, BOB = 1, 2


class Clock:
    """Shows the time that it is set to."""

    now_s = 1000.0

    def __call__(self) -> float:
        """Give it."""
        return self.now_s


@pytest.fixture
def clock(settings: SettingsWrapper) -> Clock:
    settings.VL_PERSON_DECODE_S_PER_MINUTE = 30
    return Clock()


@pytest.fixture
def shares(clock: Clock) -> Shares:
    return Shares("DECODE", clock)


def is_let_in(shares: Shares, person_id: int) -> bool:
    try:
        shares.check(person_id)
    except ChatError:
        return False
    return True


def test_who_took_less_than_a_share_goes_on(shares: Shares) -> None:
    shares.add(ALICE, 20)
    shares.add(ALICE, 9.9)

    assert is_let_in(shares, ALICE)


def test_who_took_a_share_waits_and_others_do_not(shares: Shares, clock: Clock) -> None:
    shares.add(ALICE, 20)
    clock.now_s += 15
    shares.add(ALICE, 10)

    with pytest.raises(ChatError) as refused:
        shares.check(ALICE)

    assert (refused.value.code, refused.value.retry_after_s) == (ErrorCode.RATE_LIMITED, 45)
    assert is_let_in(shares, BOB)


def test_a_minute_later_it_is_theirs_again(shares: Shares, clock: Clock) -> None:
    shares.add(ALICE, 30)
    clock.now_s += 60

    assert is_let_in(shares, ALICE)


def test_nothing_is_remembered_of_who_came_once(shares: Shares, clock: Clock) -> None:
    for person_id in range(1000):
        shares.add(person_id, 1)
    clock.now_s += 60
    shares.add(ALICE, 1)

    assert list(shares._taken) == [ALICE]


def test_without_a_limit_nobody_waits(shares: Shares, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_DECODE_S_PER_MINUTE = 0
    shares.add(ALICE, 1000)

    assert is_let_in(shares, ALICE)
