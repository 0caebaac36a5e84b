"""Seeded parts of the rows of the fault suite that need one process only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.scenarios import connections, cuts, reloads
from tests.faults.scenarios.connections import Target
from tests.faults.site import account_of
from tests.server.people import Person

if TYPE_CHECKING:
    from tests.server.processes import Product

pytestmark = pytest.mark.slow


async def test_a_connection_cut_at_any_event_boundary_loses_nothing(single: Product) -> None:
    account = account_of(Person(single.url).sign_up("cut"))

    figure = await cuts.run(account, single.port, runs=80, seed=1)

    assert figure.wrong == []
    assert figure.measured["boundaries"] >= cuts.WORDS // 2
    assert figure.measured["cuts"] >= figure.runs / 2


async def test_a_reload_shows_everything_so_far_from_any_cursor(single: Product) -> None:
    account = account_of(Person(single.url).sign_up("reload"))

    figure = await reloads.run(account, [single.port], runs=20, seed=1)

    assert [fault for fault in figure.wrong if not fault.startswith("p95")] == []


async def test_idle_sockets_cost_little(single: Product) -> None:
    account = account_of(Person(single.url).sign_up("idle"))
    target = target_of(single)
    await connections.idle(
        account, target, sockets=100, pings=1
    )  # what the process keeps from then on

    figure = await connections.idle(account, target, sockets=100, pings=1)

    assert figure.wrong == []


async def test_readers_that_take_nothing_are_all_closed(single: Product) -> None:
    account = account_of(Person(single.url).sign_up("stalled"))

    figure = await connections.stalled(account, target_of(single), readers=5)

    assert figure.measured["closed"] == 5


def target_of(product: Product) -> Target:
    """Give what to connect to, and whose memory to look at."""
    assert product.process is not None
    return Target(product.port, product.process.pid)
