"""What workers say of themselves arrives, also from workers of other versions."""

from __future__ import annotations

import json

from chat.generation.workers import Beat
from inference.service import Phase
from inference.testing import make_request, read_events, scripted_service


def told_by_a_worker() -> Beat:
    with scripted_service() as service:
        assert service.wait_ready(20)
        read_events(service.submit(make_request()))
        return Beat.of("host:1", service)


def test_a_beat_arrives_with_its_figures() -> None:
    beat = told_by_a_worker()

    assert Beat.decode(beat.encode()) == beat
    assert beat.stats is not None
    assert beat.stats.tokens > 0
    assert beat.state.phase == Phase.READY


def test_a_beat_of_a_worker_that_knows_no_figures_is_a_beat() -> None:
    told = json.loads(told_by_a_worker().encode())
    del told["stats"], told["owner"]

    beat = Beat.decode(json.dumps(told))

    assert (beat.owner, beat.stats) == ("", None)
    assert beat.state.phase == Phase.READY


def test_a_beat_with_other_figures_is_a_beat_without() -> None:
    told = json.loads(told_by_a_worker().encode())
    told["stats"]["of the future"] = 1

    assert Beat.decode(json.dumps(told)).stats is None
