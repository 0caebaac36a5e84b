"""Speed and fill of a service: what they count, and that they survive the way through JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from inference.backends import scripted
from inference.backends.base import LoadedModel
from inference.backends.scripted import Script
from inference.live_stats import AnswerMeter, LiveStats, read_memory_bytes
from inference.model_stats import ModelStats
from inference.requests import Event, Finished, FinishReason, TextDelta, Timings, Usage
from inference.service_state import ServiceStats
from inference.testing import make_request, read_events, read_token_ids, scripted_service

SERVICE = ServiceStats(queued=1, running=2, slots=8, finished=5, failed=1)
MODEL = ModelStats(backend="engine", kernels="avx512", batch=2, cache_tokens=160)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_first_tokens_are_counted_by_how_long_they_took() -> None:
    clock, events = Clock(), list[Event]()
    meter = AnswerMeter(clock)

    for waited_s in (0.1, 0.3, 1000.0):
        emit = meter.watch(events.append, submitted_at=clock.now - waited_s)
        emit(TextDelta("a", (1,)))
        clock.now += 7
        emit(TextDelta("b", (2, 3)))

    first = meter.read(SERVICE, None).first_tokens
    assert first.counts == (1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1)
    assert first.sum_s == pytest.approx(1000.4)
    assert len(events) == 6


def test_speed_is_that_of_the_last_five_seconds() -> None:
    clock = Clock()
    meter = AnswerMeter(clock)
    emit = meter.watch(lambda event: None, submitted_at=clock.now)

    emit(TextDelta("long ago", tuple(range(50))))
    clock.now += 6
    emit(TextDelta("now", tuple(range(10))))

    stats = meter.read(SERVICE, None)
    assert (stats.tokens, stats.tokens_per_s) == (60, 2.0)


def test_text_that_is_held_back_and_shown_in_the_end_is_no_token() -> None:
    meter = AnswerMeter()

    meter.watch(lambda event: None, submitted_at=0.0)(TextDelta("rest", ()))

    stats = meter.read(SERVICE, None)
    assert (stats.tokens, sum(stats.first_tokens.counts)) == (0, 0)


@pytest.mark.parametrize("model", [MODEL, None], ids=["loaded", "not yet"])
def test_figures_survive_the_way_through_json(model: ModelStats | None) -> None:
    stats = AnswerMeter().read(SERVICE, model)

    assert LiveStats.decode(json.loads(json.dumps(asdict(stats)))) == stats


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_figures_of_another_version_are_refused(change: str) -> None:
    told = asdict(AnswerMeter().read(SERVICE, MODEL))
    if change == "missing":
        del told["first_tokens"]
    else:
        told["model"]["word"] = 1

    with pytest.raises((KeyError, TypeError)):
        LiveStats.decode(told)


def test_memory_of_this_process_is_read(tmp_path: Path) -> None:
    assert read_memory_bytes() > 2**20
    assert read_memory_bytes(tmp_path / "no such file") == 0


def test_service_counts_what_it_answered() -> None:
    with scripted_service(slots=2) as service:
        assert service.wait_ready(20)
        written = read_token_ids(read_events(service.submit(make_request())))
        stats = service.live_stats()

    assert stats.tokens == len(written) > 0
    assert (stats.finished, stats.failed, stats.slots) == (1, 0, 2)
    assert sum(stats.first_tokens.counts) == 1
    assert stats.model == ModelStats(backend="scripted")


def test_service_tells_how_fast_it_read(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Finished(
        FinishReason.STOP,
        Usage(prompt_tokens=300, image_tokens=200),
        Timings(vision_ms=1000, prefill_ms=600),
        "scripted",
        demo=False,
    )
    monkeypatch.setattr(scripted.ScriptedModel, "answer", lambda self, request, **_: ended)
    with scripted_service() as service:
        read_events(service.submit(make_request()))
        stats = service.live_stats()

    assert (stats.vision_tokens_per_s, stats.prefill_tokens_per_s) == (200, 500)


def test_service_without_a_model_has_figures() -> None:
    script = Script()
    script.gate.close()
    with scripted_service(script) as service:
        assert service.live_stats().model is None
        script.gate.open()


def test_every_model_names_its_backend(model: LoadedModel) -> None:
    assert model.live_stats().backend in ("engine", "transformers", "scripted")


def test_engine_tells_its_kernels_and_how_full_it_is(engine_model: LoadedModel) -> None:
    before = engine_model.live_stats()

    engine_model.warm_up()
    engine_model.close()  # so that the last step's figures are there

    after = engine_model.live_stats()
    assert (after.backend, after.number_format) == ("engine", "fp32")
    assert after.kernels
    assert before == replace(after, cache_used_tokens=0, cache_miss_tokens=0, picture_bytes=0)
    assert 0 < after.cache_used_tokens < after.cache_tokens
