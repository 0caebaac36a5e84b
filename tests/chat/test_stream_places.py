"""Places for event streams: so many for each person, also when all are asked for at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from chat.errors import ChatError
from chat.stream_places import BEGINS_WITHIN_S, StreamPlaces

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

ALICE, BOB = 1, 2


@pytest.fixture(autouse=True)
def _two_for_each(settings: SettingsWrapper) -> None:
    settings.VL_PERSON_STREAMS = 2


def has_room(places: StreamPlaces, user_id: int = ALICE) -> bool:
    """Try to take a place."""
    try:
        places.take(user_id)
    except ChatError:
        return False
    return True


def test_of_many_at_once_so_many_are_let_in() -> None:
    """All thirty were: none counted before it had begun."""
    places = StreamPlaces()

    with ThreadPoolExecutor(30) as threads:
        let_in = list(threads.map(lambda _: has_room(places), range(30)))

    assert sum(let_in) == 2


def test_others_have_their_own() -> None:
    places = StreamPlaces()
    places.take(ALICE)
    places.take(ALICE)

    assert has_room(places, BOB)


def test_what_is_given_back_is_free() -> None:
    places = StreamPlaces()
    first, _ = places.take(ALICE), places.take(ALICE)

    places.give_back(first)

    assert [has_room(places), has_room(places)] == [True, False]


def test_one_that_never_begins_is_free_after_a_while() -> None:
    now = [0.0]
    places = StreamPlaces(clock=lambda: now[0])
    begun, _never = places.take(ALICE), places.take(ALICE)
    places.begin(begun)

    now[0] += BEGINS_WITHIN_S

    assert [has_room(places), has_room(places)] == [True, False]


def test_one_that_begins_late_counts_again() -> None:
    now = [0.0]
    places = StreamPlaces(clock=lambda: now[0])
    late = places.take(ALICE)
    now[0] += BEGINS_WITHIN_S
    places.take(ALICE)

    places.begin(late)

    assert not has_room(places)


def test_giving_back_twice_is_harmless_and_leaves_nothing() -> None:
    places = StreamPlaces()
    place = places.take(ALICE)

    places.give_back(place)
    places.give_back(place)

    assert not places._taken
