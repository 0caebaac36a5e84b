"""Seeded parts of the rows of the fault suite that need many instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.scenarios import repeats, rolling, stops, store_losses

if TYPE_CHECKING:
    from tests.faults.site import Site

pytestmark = [pytest.mark.multi, pytest.mark.redis, pytest.mark.slow]


def faults_beside_times(wrong: list[str]) -> list[str]:
    """Leave out what a busy machine may do: be late."""
    return [fault for fault in wrong if not fault.startswith("p99")]


async def test_the_same_id_over_two_instances_starts_one_turn(site: Site) -> None:
    figure = await repeats.run(site, times=60)

    assert figure.wrong == []


async def test_a_stop_from_another_instance_ends_every_stage(site: Site) -> None:
    figure = await stops.run(site, times=1)

    assert faults_beside_times(figure.wrong) == []
    assert set(figure.measured) >= {f"{stage}_max_ms" for stage in stops.STAGES}


async def test_a_redis_that_forgets_everything_loses_no_reply(site: Site) -> None:
    figure = await store_losses.run(site, "FLUSHALL", queued=12)

    assert figure.wrong == []


async def test_a_rolling_restart_loses_nothing(site: Site) -> None:
    figure = await rolling.run(site, sockets=12, replies=4, seconds=20)

    assert figure.wrong == []
    assert figure.measured["reconnects"]
