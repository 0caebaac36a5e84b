"""What every loaded model promises, kept by the scripted one and by a real one alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from inference.backends.base import Cancellation, LoadedModel, ModelFiles
from inference.config import InferenceConfig
from inference.errors import ErrorCode, InferenceError
from inference.loader import FixedSource
from inference.requests import (
    Event,
    Finished,
    FinishReason,
    GenerationRequest,
    ImagePart,
    SamplingOptions,
    Stage,
    StageProgress,
    TextDelta,
)
from inference.service import InferenceService
from inference.testing import (
    assistant_message,
    draw_png,
    image_part,
    make_request,
    read_events,
    read_text,
    read_token_ids,
    user_message,
)

GREEDY = SamplingOptions(max_tokens=12, temperature=0.0)
SEEDED = SamplingOptions(max_tokens=12, temperature=1.0, top_p=1.0, top_k=0, seed=7)
UNASKED = 2**20  # a context that no model here was loaded with
LONG = SamplingOptions(max_tokens=1500, temperature=1.0, top_p=1.0, top_k=0)


class LoadedBackend:
    """Hands out a model that is loaded already."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    def load(self, files: ModelFiles, report: object) -> LoadedModel:
        return _Unclosable(self._model)


class _Unclosable:
    """Passes everything on but the close: the model serves other tests too."""

    def __init__(self, model: LoadedModel) -> None:
        self.name = model.name
        self.demo = model.demo
        self.image_limits = model.image_limits
        self.context_tokens = model.context_tokens
        self.answer = model.answer
        self.warm_up = model.warm_up
        self.live_stats = model.live_stats

    def close(self) -> None:
        """Keep the model."""


@pytest.fixture
def service(model: LoadedModel) -> Iterator[InferenceService]:
    """Return a started service with one slot around each kind of model."""
    service = InferenceService(
        InferenceConfig(max_queue=4, context_tokens=UNASKED),
        backend=LoadedBackend(model),
        source=FixedSource(ModelFiles(model.name, None)),
    )
    service.start()
    assert service.wait_ready(60)
    yield service
    service.close()


def answer(
    model: LoadedModel, request: GenerationRequest, *, stop_at: Stage | None = None
) -> tuple[list[Event], Finished]:
    """Run one request; with `stop_at`, cancel it within its first event of that stage."""
    events: list[Event] = []
    cancellation = Cancellation()

    def emit(event: Event) -> None:
        events.append(event)
        is_text = isinstance(event, TextDelta)
        stage = Stage.DECODE if is_text else getattr(event, "stage", None)
        if stage is stop_at:
            cancellation.set()

    return events, model.answer(request, emit=emit, cancellation=cancellation)


def stages(events: list[Event]) -> list[Stage]:
    return list(dict.fromkeys(e.stage for e in events if isinstance(e, StageProgress)))


def test_answer_goes_through_vision_prefill_and_text(model: LoadedModel) -> None:
    events, finished = answer(model, make_request(options=GREEDY))

    assert stages(events) == [Stage.VISION, Stage.PREFILL]
    assert read_token_ids(events)
    assert finished.model == model.name


def test_answer_without_picture_has_no_vision_stage(model: LoadedModel) -> None:
    events, finished = answer(model, make_request(user_message("Hello"), options=GREEDY))

    assert stages(events) == [Stage.PREFILL]
    assert finished.usage.image_tokens == 0


def test_each_stage_reports_its_end(model: LoadedModel) -> None:
    events, _ = answer(model, make_request(options=GREEDY))

    last = {e.stage: e for e in events if isinstance(e, StageProgress)}
    assert [last[s].done == last[s].total for s in last] == [True, True]


def test_usage_counts_what_was_read_and_written(model: LoadedModel) -> None:
    events, finished = answer(model, make_request(options=GREEDY))

    assert finished.usage.completion_tokens == len(read_token_ids(events))
    assert 0 < finished.usage.image_tokens < finished.usage.prompt_tokens
    assert finished.usage.cached_tokens == 0


def test_length_limit_ends_the_answer(model: LoadedModel) -> None:
    options = SamplingOptions(max_tokens=3, temperature=0.0)

    events, finished = answer(model, make_request(options=options))

    assert len(read_token_ids(events)) == 3
    assert finished.finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("stage", [Stage.VISION, Stage.PREFILL])
def test_cancel_before_the_first_token_stops_within_a_layer(
    model: LoadedModel, stage: Stage
) -> None:
    events, finished = answer(model, make_request(options=GREEDY), stop_at=stage)

    assert finished.finish_reason is FinishReason.STOPPED
    assert not read_token_ids(events)
    assert sum(isinstance(e, StageProgress) and e.stage is stage for e in events) == 1


def test_cancel_while_decoding_stops_within_a_token(model: LoadedModel) -> None:
    events, finished = answer(model, make_request(options=LONG), stop_at=Stage.DECODE)

    assert finished.finish_reason is FinishReason.STOPPED
    assert len(read_token_ids(events)) <= 2


def test_cancelled_request_does_no_work(model: LoadedModel) -> None:
    cancellation = Cancellation()
    cancellation.set()
    events: list[Event] = []

    finished = model.answer(make_request(), emit=events.append, cancellation=cancellation)

    assert finished.finish_reason is FinishReason.STOPPED
    assert not events


@pytest.mark.parametrize("options", [GREEDY, SEEDED], ids=["greedy", "seeded"])
@pytest.mark.parametrize("cut", [1, 5, 11])
def test_continued_answer_equals_the_undisturbed_one(
    model: LoadedModel, options: SamplingOptions, cut: int
) -> None:
    whole, _ = answer(model, make_request(options=options))
    token_ids = read_token_ids(whole)
    assert len(token_ids) > cut
    shown = read_text(whole[: _index_of_token(whole, cut)])

    rest, finished = answer(model, make_request(options=options, prefix=token_ids[:cut]))

    assert read_token_ids(rest) == token_ids[cut:]
    assert shown + read_text(rest) == read_text(whole)
    assert finished.usage.completion_tokens == len(token_ids)


@pytest.mark.parametrize("cut", [1, 6], ids=["within-a-word", "further"])
def test_answer_goes_on_behind_text_whose_tokens_nobody_knows(model: LoadedModel, cut: int) -> None:
    shown = read_text(answer(model, make_request(options=GREEDY))[0])[:cut]
    options = replace(GREEDY, max_tokens=20)
    request = replace(make_request(options=options), prefix_text=shown)

    rest, finished = answer(model, request)

    known = rest[0]
    assert isinstance(known, TextDelta)
    assert known.token_ids
    token_ids = read_token_ids(rest)
    assert finished.usage.completion_tokens == len(token_ids) <= 20
    assert len(token_ids) > len(known.token_ids)
    again, _ = answer(model, make_request(options=options, prefix=token_ids[:-1]))
    assert read_token_ids(again) == token_ids[-1:]


def test_prefix_of_full_length_finishes_at_once(model: LoadedModel) -> None:
    whole, _ = answer(model, make_request(options=GREEDY))
    prefix = read_token_ids(whole)
    options = SamplingOptions(max_tokens=len(prefix), temperature=0.0)

    rest, finished = answer(model, make_request(options=options, prefix=prefix))

    assert not read_token_ids(rest)
    assert finished.finish_reason in (FinishReason.LENGTH, FinishReason.STOP)


@pytest.mark.parametrize("cut", [0, 4, 9])
def test_text_ends_before_a_stop_string_also_behind_a_take_over(
    model: LoadedModel, cut: int
) -> None:
    whole = read_text(answer(model, make_request(options=SEEDED))[0])
    stop = whole[len(whole) // 2 :][:3]
    options = replace(SEEDED, stop=(stop, "never said"))
    events, finished = answer(model, make_request(options=options))
    token_ids = read_token_ids(events)

    rest, again = answer(model, make_request(options=options, prefix=token_ids[:cut]))

    assert read_text(events) == whole[: whole.index(stop)]
    assert read_text(events).endswith(read_text(rest))
    assert read_token_ids(rest) == token_ids[cut:]
    assert finished.finish_reason is again.finish_reason is FinishReason.STOP
    assert finished.usage.completion_tokens == again.usage.completion_tokens == len(token_ids)


def test_what_may_begin_a_stop_string_is_shown_at_the_limit(model: LoadedModel) -> None:
    whole = read_text(answer(model, make_request(options=SEEDED))[0])
    options = replace(SEEDED, stop=(whole[-1] + "never said",))

    events, finished = answer(model, make_request(options=options))

    assert read_text(events) == whole
    assert events[-1] == TextDelta(whole[-1], ())
    assert finished.finish_reason is not FinishReason.STOPPED


def test_same_seed_gives_the_same_answer(model: LoadedModel) -> None:
    first, _ = answer(model, make_request(options=SEEDED))
    second, _ = answer(model, make_request(options=SEEDED))

    assert read_token_ids(first) == read_token_ids(second)


def test_another_seed_gives_another_answer(model: LoadedModel) -> None:
    other = SamplingOptions(max_tokens=12, temperature=1.0, top_p=1.0, top_k=0, seed=8)

    first, _ = answer(model, make_request(options=SEEDED))
    second, _ = answer(model, make_request(options=other))

    assert read_token_ids(first) != read_token_ids(second)


def test_broken_picture_is_unreadable(model: LoadedModel) -> None:
    data = draw_png()[:60]
    broken = ImagePart(data, hashlib.sha256(data).hexdigest())

    with pytest.raises(InferenceError) as caught:
        answer(model, make_request(user_message("What is this?", broken)))

    assert caught.value.code == ErrorCode.IMAGE_UNREADABLE


def test_question_beyond_the_context_is_too_long(model: LoadedModel) -> None:
    request = make_request(user_message("word " * 25_000))

    with pytest.raises(InferenceError) as caught:
        answer(model, request)

    assert caught.value.code == ErrorCode.CONTEXT_TOO_LONG


def test_long_conversation_loses_old_turns_and_is_answered(model: LoadedModel) -> None:
    history = [m for _ in range(30) for m in (user_message("word " * 800), assistant_message("ok"))]

    _, finished = answer(model, make_request(*history, user_message("And now?"), options=GREEDY))

    assert finished.usage.prompt_tokens < 20_480


def test_service_gives_one_terminal_event_and_it_is_last(service: InferenceService) -> None:
    events = read_events(service.submit(make_request(options=GREEDY)))

    assert [isinstance(e, Finished) for e in events].count(True) == 1
    assert isinstance(events[-1], Finished)


def test_two_requests_at_once_do_not_mix(service: InferenceService) -> None:
    one = make_request(user_message("One?", image_part()), options=GREEDY, name="one")
    two = make_request(user_message("Two, longer?"), options=GREEDY, name="two")
    alone = [read_events(service.submit(request)) for request in (one, two)]

    generations = [service.submit(request) for request in (one, two)]
    together = [read_events(generation) for generation in generations]

    assert list(map(read_text, together)) == list(map(read_text, alone))


def test_failed_request_ends_with_its_code_and_the_next_one_works(
    service: InferenceService,
) -> None:
    broken = ImagePart(b"no picture", hashlib.sha256(b"no picture").hexdigest())

    failed = read_events(service.submit(make_request(user_message("?", broken))))
    fine = read_events(service.submit(make_request(options=GREEDY)))

    assert getattr(failed[-1], "code", None) == ErrorCode.IMAGE_UNREADABLE
    assert isinstance(fine[-1], Finished)


def _index_of_token(events: list[Event], count: int) -> int:
    """Return the index behind the event that carried the `count`-th token."""
    seen = 0
    for index, event in enumerate(events):
        seen += len(event.token_ids) if isinstance(event, TextDelta) else 0
        if seen == count:
            return index + 1
    raise AssertionError(f"fewer than {count} tokens")


def test_a_service_tells_the_context_of_the_model_that_answers(
    model: LoadedModel, service: InferenceService
) -> None:
    assert service.context_tokens == model.context_tokens != UNASKED


def test_a_service_without_a_model_tells_what_a_model_may_take() -> None:
    assert InferenceService(InferenceConfig(context_tokens=UNASKED)).context_tokens == UNASKED
