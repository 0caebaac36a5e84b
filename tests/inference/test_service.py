"""The service around the model: queueing, stopping, closing, readiness.

The model is scripted, so each step can be held and let go.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from inference.backends.base import ModelFiles
from inference.backends.scripted import ScriptedBackend
from inference.config import BackendName, InferenceConfig
from inference.errors import ErrorCode, InferenceError
from inference.loader import FixedSource
from inference.requests import (
    Failed,
    Finished,
    FinishReason,
    PixelBudget,
    SamplingOptions,
    Stage,
    StageProgress,
    TextDelta,
)
from inference.service import Generation, InferenceService, Phase, ServiceState
from inference.testing import (
    Gate,
    Script,
    make_request,
    read_events,
    read_text,
    scripted_service,
    user_message,
)

DEADLINE_S = 10.0


@pytest.fixture
def gate() -> Gate:
    """Return a gate that lets the model load and then holds every step."""
    gate = Gate(is_open=False)
    gate.allow(Stage.LOADING, 100)
    return gate


@pytest.fixture
def service(gate: Gate) -> Iterator[InferenceService]:
    """Return a ready service with one slot and two waiting places, held by `gate`."""
    with scripted_service(Script(gate=gate), max_queue=2) as service:
        assert service.wait_ready(DEADLINE_S)
        yield service


def make_unstarted(script: Script | None = None) -> InferenceService:
    return InferenceService(
        InferenceConfig(backend=BackendName.SCRIPTED),
        backend=ScriptedBackend(script),
        source=FixedSource(ModelFiles("scripted", None)),
    )


def hold_one(service: InferenceService, gate: Gate, stage: Stage = Stage.VISION) -> Generation:
    """Submit a request and wait until it is held at a step of `stage`."""
    for earlier in (Stage.VISION, Stage.PREFILL):
        if earlier is stage:
            break
        gate.allow(earlier, 2)
    generation = service.submit(make_request())
    assert gate.wait_until_blocked(stage, DEADLINE_S)
    return generation


@pytest.mark.parametrize("stage", [Stage.VISION, Stage.PREFILL, Stage.DECODE])
def test_cancel_of_a_running_request_ends_it_as_stopped(
    service: InferenceService, gate: Gate, stage: Stage
) -> None:
    generation = hold_one(service, gate, stage)

    generation.cancel()

    last = read_events(generation)[-1]
    assert isinstance(last, Finished)
    assert last.finish_reason is FinishReason.STOPPED


def test_cancel_of_a_queued_request_ends_it_at_once(service: InferenceService, gate: Gate) -> None:
    hold_one(service, gate)
    queued = service.submit(make_request(prefix=(1, 2, 3)))

    queued.cancel()

    last = queued.next_event(0)
    assert isinstance(last, Finished)
    assert last.finish_reason is FinishReason.STOPPED
    assert last.usage.completion_tokens == 3
    assert service.stats().queued == 0


def test_cancel_twice_and_after_the_end_changes_nothing(
    service: InferenceService, gate: Gate
) -> None:
    generation = hold_one(service, gate)
    generation.cancel()
    generation.cancel()
    events = read_events(generation)

    generation.cancel()

    assert isinstance(events[-1], Finished)
    assert generation.next_event(0) is None


def test_full_queue_refuses_and_recovers(service: InferenceService, gate: Gate) -> None:
    held = hold_one(service, gate)
    waiting = [service.submit(make_request()) for _ in range(2)]

    with pytest.raises(InferenceError) as caught:
        service.submit(make_request())

    assert caught.value.code == ErrorCode.QUEUE_FULL
    assert caught.value.retryable
    gate.open()
    assert all(isinstance(read_events(g)[-1], Finished) for g in (held, *waiting))
    assert isinstance(read_events(service.submit(make_request()))[-1], Finished)


def test_submit_and_cancel_do_not_wait_for_the_model(service: InferenceService, gate: Gate) -> None:
    hold_one(service, gate)

    began = monotonic()
    service.submit(make_request()).cancel()

    assert monotonic() - began < 1


def test_next_event_gives_up_after_its_timeout(service: InferenceService, gate: Gate) -> None:
    generation = hold_one(service, gate)

    assert generation.next_event(0) is None
    assert not generation.is_finished


def test_two_slots_answer_at_the_same_time(gate: Gate) -> None:
    with scripted_service(Script(gate=gate), slots=2) as service:
        generations = [service.submit(make_request(name=str(n))) for n in range(2)]
        gate.allow(Stage.VISION, 4)
        assert gate.wait_until_blocked(Stage.PREFILL, DEADLINE_S)

        gate.open()

        assert all(isinstance(read_events(g)[-1], Finished) for g in generations)
        assert service.slots == 2


@pytest.mark.parametrize("stage", [Stage.VISION, Stage.DECODE])
def test_close_ends_running_and_queued_requests_for_another_worker(
    service: InferenceService, gate: Gate, stage: Stage
) -> None:
    running = hold_one(service, gate, stage)
    queued = service.submit(make_request())

    service.close()

    for generation in (running, queued):
        terminal = [e for e in read_events(generation) if isinstance(e, Finished | Failed)]
        assert [type(e) for e in terminal] == [Failed]
        assert terminal[0] == Failed(
            ErrorCode.MODEL_UNAVAILABLE, "The inference service is shutting down.", retryable=True
        )


def test_close_is_bounded_while_a_step_never_ends() -> None:
    stuck = threading.Event()

    def never_answers(request: object) -> str:
        stuck.wait(DEADLINE_S)
        return "late"

    with scripted_service(Script(answer=never_answers)) as service:
        generation = service.submit(make_request())
        began = monotonic()

        service.close(timeout_s=0.2)

        assert monotonic() - began < 2
        assert isinstance(read_events(generation)[-1], Failed)
        stuck.set()
        assert read_text(read_events(generation)) == ""


def test_closed_service_refuses_requests(service: InferenceService) -> None:
    service.close()

    with pytest.raises(InferenceError) as caught:
        service.submit(make_request())

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE
    assert service.state.phase is Phase.CLOSED


def test_service_that_was_not_started_refuses_requests() -> None:
    with pytest.raises(InferenceError) as caught:
        make_unstarted().submit(make_request())

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE


def test_close_without_start_is_harmless() -> None:
    service = make_unstarted()

    service.close()
    service.start()

    assert service.state.phase is Phase.CLOSED


def test_request_before_the_model_waits_and_hears_of_loading() -> None:
    gate = Gate(is_open=False)
    with scripted_service(Script(gate=gate)) as service:
        generation = service.submit(make_request())
        first = generation.next_event(DEADLINE_S)

        gate.open()

        assert isinstance(first, StageProgress)
        assert first.stage is Stage.LOADING
        assert isinstance(read_events(generation)[-1], Finished)


def test_model_that_cannot_be_warmed_up_is_not_available() -> None:
    def break_down(request: object) -> str:
        raise RuntimeError("no answer")

    service = make_unstarted(Script(answer=break_down))
    service.start()
    is_ready = service.wait_ready(DEADLINE_S)
    phase = service.state.phase
    service.close()

    assert not is_ready
    assert phase is Phase.FAILED


def test_service_is_ready_only_after_the_warm_up() -> None:
    warmed: list[str] = []

    def remember(request: object) -> str:
        warmed.append(getattr(request, "id", ""))
        return "warm"

    service = make_unstarted(Script(answer=remember))
    phases: list[Phase] = []
    service.add_listener(lambda state: phases.append(state.phase))
    service.start()
    assert service.wait_ready(DEADLINE_S)
    service.close()

    assert warmed == ["warm-up"]
    assert list(dict.fromkeys(phases)) == [
        Phase.LOADING,
        Phase.WARMING,
        Phase.READY,
        Phase.CLOSED,
    ]


def test_loading_failure_is_told_to_state_waiting_requests_and_new_ones() -> None:
    error = InferenceError(ErrorCode.MODEL_UNAVAILABLE, "x.safetensors is missing.")
    gate = Gate(is_open=False)
    with scripted_service(Script(gate=gate, failures={Stage.LOADING: error})) as service:
        waiting = service.submit(make_request())
        gate.open()

        assert not service.wait_ready(DEADLINE_S)

        assert service.state.phase is Phase.FAILED
        assert service.state.message == "x.safetensors is missing."
        assert isinstance(read_events(waiting)[-1], Failed)
        with pytest.raises(InferenceError, match=r"x\.safetensors is missing"):
            service.submit(make_request())


def test_unforeseen_loading_failure_fails_the_service_with_a_safe_text() -> None:
    script = Script(failures={Stage.LOADING: RuntimeError("secret detail")})
    with scripted_service(script) as service:
        assert not service.wait_ready(DEADLINE_S)

        assert "secret" not in service.state.message


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (MemoryError(), ErrorCode.OUT_OF_MEMORY),
        (ValueError("secret detail"), ErrorCode.GENERATION_FAILED),
        (InferenceError(ErrorCode.IMAGE_TOO_LARGE, "too large"), ErrorCode.IMAGE_TOO_LARGE),
    ],
    ids=["memory", "unforeseen", "inference"],
)
def test_failure_while_decoding_keeps_the_text_and_ends_with_a_code(
    failure: Exception, code: ErrorCode
) -> None:
    script = Script(failures={Stage.DECODE: failure}, fail_after_tokens=2)
    with scripted_service(script) as service:
        events = read_events(service.submit(make_request()))

    last = events[-1]
    assert isinstance(last, Failed)
    assert last.code == code
    assert "secret" not in last.message
    assert sum(isinstance(e, TextDelta) for e in events) == 2


def test_stats_count_what_waits_runs_and_ended(service: InferenceService, gate: Gate) -> None:
    held = hold_one(service, gate)
    service.submit(make_request()).cancel()
    service.submit(make_request())
    before = service.stats()
    gate.open()
    read_events(held)

    assert (before.queued, before.running, before.finished) == (1, 1, 1)


def test_listener_that_fails_does_not_stop_the_service() -> None:
    service = make_unstarted()
    service.add_listener(_raise)
    service.start()

    assert service.wait_ready(DEADLINE_S)

    service.close()


def test_scripted_model_echoes_the_conversation() -> None:
    with scripted_service() as service:
        text = read_text(read_events(service.submit(make_request(user_message("What is it?")))))

    assert "turn 1 with 0 pictures" in text
    assert "'What is it?'" in text


def test_image_tokens_are_counted_before_any_model_is_loaded() -> None:
    service = make_unstarted()

    assert service.count_image_tokens(640, 480, PixelBudget.BALANCED) == 300
    assert service.count_image_tokens(4000, 3000, PixelBudget.FAST) <= 256


def _raise(state: ServiceState) -> None:
    raise RuntimeError("listener")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(SamplingOptions(stop=("a", "b", "c", "d", "e")), "5 stop", id="many stops"),
        pytest.param(SamplingOptions(stop=("x" * 201,)), "1 to 200", id="long stop"),
        pytest.param(SamplingOptions(stop=("",)), "1 to 200", id="empty stop"),
        pytest.param(SamplingOptions(logprobs=21), "0 to 20", id="many log probabilities"),
        pytest.param(SamplingOptions(logprobs=-1), "0 to 20", id="negative log probabilities"),
        pytest.param(
            SamplingOptions(json_object=True, json_schema={}), "not both", id="two kinds of JSON"
        ),
        pytest.param(
            SamplingOptions(json_object=True, stop=("}",)), "one of the two", id="JSON and stop"
        ),
    ],
)
def test_options_that_cannot_be_met_are_refused_before_queueing(
    service: InferenceService, options: SamplingOptions, said: str
) -> None:
    with pytest.raises(InferenceError, match=said) as caught:
        service.submit(make_request(options=options))

    assert caught.value.code == ErrorCode.INVALID_OPTIONS
    assert service.stats().queued == 0
