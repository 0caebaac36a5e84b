"""Large bodies come to the application a few at a time, and fairly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vlsite.web_server.large_bodies import LargeBodies

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

MIB = 2**20


@pytest.fixture(autouse=True)
def limits(settings: SettingsWrapper) -> None:
    """Allow ten in work, and twenty for an address."""
    settings.VL_BODIES_BYTES = 10 * MIB
    settings.VL_ADDRESS_BODIES_BYTES = 20 * MIB


class Bodies(LargeBodies):
    """Bodies that note who began, and are whole when they arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[str] = []

    def come(self, name: str, mib: int, network: str = "a") -> bool:
        """Take a whole body."""
        is_taken = self.arrived(name, network, mib * MIB)
        self.complete(name, lambda: self.began.append(name))
        return is_taken


def test_what_is_not_large_waits_for_nothing() -> None:
    bodies = Bodies()
    bodies.come("first", 10)

    bodies.complete("small", lambda: bodies.began.append("small"))

    assert bodies.began == ["first", "small"]


def test_more_than_fits_waits_until_another_is_done() -> None:
    bodies = Bodies()
    for name in ("first", "second", "third"):
        bodies.come(name, 5)
    began_before = list(bodies.began)

    bodies.gone("first")
    bodies.gone("first")

    assert began_before == ["first", "second"]
    assert bodies.began == ["first", "second", "third"]


def test_one_that_never_fits_goes_alone() -> None:
    bodies = Bodies()
    bodies.come("large", 15)
    bodies.come("next", 1)
    began_before = list(bodies.began)

    bodies.gone("large")

    assert began_before == ["large"]
    assert bodies.began == ["large", "next"]


def test_who_sends_many_does_not_keep_others_waiting_for_all() -> None:
    bodies = Bodies()
    for name in ("a1", "a2", "a3", "a4"):
        bodies.come(name, 5)
    bodies.come("b1", 5, network="b")

    bodies.gone("a1")
    bodies.gone("a2")

    assert bodies.began == ["a1", "a2", "b1", "a3"]


def test_what_goes_while_it_waits_is_never_begun() -> None:
    bodies = Bodies()
    bodies.come("first", 10)
    bodies.come("left", 5)

    bodies.gone("left")
    bodies.gone("first")

    assert bodies.began == ["first"]


def test_an_address_has_a_share_of_its_own() -> None:
    bodies = Bodies()

    taken = [bodies.come("a1", 20), bodies.come("a2", 1), bodies.come("b1", 20, network="b")]

    assert taken == [True, False, True]


def test_one_that_ends_at_once_lets_the_next_begin() -> None:
    bodies = Bodies()
    bodies.come("first", 10)
    for name in ("ends", "next"):
        bodies.arrived(name, "a", 10 * MIB)
    bodies.complete("ends", lambda: bodies.gone("ends"))
    bodies.complete("next", lambda: bodies.began.append("next"))

    bodies.gone("first")

    assert bodies.began == ["first", "next"]
