"""What a picture costs: tokens at each budget, and seconds at the speed of those who answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chat.generation import local
from chat.generation.pricing import image_price
from chat.generation.workers import Beat
from inference.images import QWEN3_VL_LIMITS, count_image_tokens
from inference.live_stats import AnswerMeter, LiveStats
from inference.requests import Finished, FinishReason, PixelBudget, Timings, Usage
from inference.service_state import ServiceState, ServiceStats

if TYPE_CHECKING:
    from collections.abc import Sequence


def stats_after(*, vision_ms: int, prefill_ms: int) -> LiveStats:
    """Give the figures of a service that answered once, over 100 image tokens of 100."""
    meter = AnswerMeter()
    usage = Usage(prompt_tokens=100, image_tokens=100)
    timings = Timings(vision_ms=vision_ms, prefill_ms=prefill_ms)
    meter.count_end(Finished(FinishReason.STOP, usage, timings, "m", False))
    return meter.read(ServiceStats(queued=0, running=0, slots=1, finished=1, failed=0), None)


class Answerer:
    def __init__(self, stats: Sequence[LiveStats | None]) -> None:
        self.beats = [Beat(ServiceState(), 1, stats=each) for each in stats]

    def count_image_tokens(self, width_px: int, height_px: int, pixels: PixelBudget) -> int:
        return count_image_tokens(width_px, height_px, pixels, QWEN3_VL_LIMITS)


def price(monkeypatch: pytest.MonkeyPatch, *stats: LiveStats | None) -> dict[str, Any]:
    monkeypatch.setattr(local, "answerer", lambda: Answerer(stats))
    return image_price(640, 640)


def test_time_is_that_of_both_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    told = price(monkeypatch, stats_after(vision_ms=1000, prefill_ms=500))

    assert told["tokens"]["balanced"] == 400
    assert told["seconds"]["balanced"] == 6.0  # 400 tokens at 10 ms and 5 ms each
    assert told["seconds"]["fast"] < told["seconds"]["balanced"]


def test_workers_that_differ_are_met_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = stats_after(vision_ms=100, prefill_ms=100)
    slow = stats_after(vision_ms=300, prefill_ms=300)

    assert price(monkeypatch, quick, slow, None)["seconds"]["balanced"] == 1.6


@pytest.mark.parametrize(
    "stats",
    [
        pytest.param([], id="nobody answers"),
        pytest.param([None], id="another version"),
        pytest.param([stats_after(vision_ms=0, prefill_ms=500)], id="no picture read yet"),
    ],
)
def test_no_time_is_told_that_nobody_measured(
    monkeypatch: pytest.MonkeyPatch, stats: list[LiveStats | None]
) -> None:
    told = price(monkeypatch, *stats)

    assert told["seconds"] is None
    assert told["tokens"]["fast"] > 0
