"""How fast prompts and pictures are read, by answers that ended."""

from __future__ import annotations

import pytest

from inference.reading_speed import KEPT_SHARE, ReadingSpeed
from inference.requests import Timings, Usage


def figures(*answers: tuple[Usage, Timings]) -> tuple[float, float]:
    speed = ReadingSpeed()
    for usage, timings in answers:
        speed.count(usage, timings)
    return speed.vision_tokens_per_s, speed.prefill_tokens_per_s


def test_an_answer_tells_both_speeds() -> None:
    usage = Usage(prompt_tokens=300, image_tokens=200)

    assert figures((usage, Timings(vision_ms=1000, prefill_ms=600))) == (200, 500)


def test_what_was_remembered_was_not_read() -> None:
    usage = Usage(prompt_tokens=1000, cached_tokens=900, image_tokens=500)

    assert figures((usage, Timings(vision_ms=1000, prefill_ms=1000))) == (100, 100)


@pytest.mark.parametrize(
    ("usage", "timings"),
    [
        pytest.param(Usage(prompt_tokens=300, image_tokens=200), Timings(), id="no time"),
        pytest.param(
            Usage(prompt_tokens=15, image_tokens=15),
            Timings(vision_ms=900, prefill_ms=900),
            id="too few tokens",
        ),
        pytest.param(
            Usage(prompt_tokens=300, cached_tokens=300, image_tokens=200),
            Timings(vision_ms=900, prefill_ms=900),
            id="all remembered",
        ),
    ],
)
def test_what_tells_nothing_is_left_out(usage: Usage, timings: Timings) -> None:
    assert figures((usage, timings)) == (0, 0)


def test_the_latest_answers_count_most() -> None:
    usage = Usage(prompt_tokens=100)

    _, speed = figures(*[(usage, Timings(prefill_ms=ms)) for ms in (1000, 100)])

    expected = 1000 * (100 * KEPT_SHARE + 100) / (1000 * KEPT_SHARE + 100)
    assert speed == pytest.approx(expected, abs=0.01)
