"""The runner of this process: who answers, when, and what a closing process leaves behind."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from chat.errors import ChatError, ErrorCode
from chat.generation import claim as claims
from chat.generation import local, sweeper
from chat.models import Reply
from chat.services import conversations
from inference.errors import ErrorCode as InferenceCode
from inference.errors import InferenceError
from inference.requests import PixelBudget, Stage
from inference.testing import Gate, Script, scripted_service
from tests.chat.factories import RUNNING, a_reply, a_turn, row_of
from tests.chat.generation.answering import DEADLINE_S
from tests.chat.generation.conftest import Heard

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "one two three four five "
FAR_S = 3600.0


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing happen by the clock, and repeats come at once."""
    monkeypatch.setattr(local, "DOORBELL_S", FAR_S)
    monkeypatch.setattr(local, "RETRY_S", 0.0)
    monkeypatch.setattr(sweeper, "SWEEP_S", FAR_S)


@contextlib.contextmanager
def running(
    *, gate: Gate | None = None, slots: int = 1, is_started: bool = True, **script: Any
) -> Iterator[local.LocalRunner]:
    """Run a runner whose model says five words."""
    gate = gate or Gate()
    spoken = Script(answer=lambda _request: WORDS, gate=gate, **script)
    before = set(threading.enumerate())
    with scripted_service(spoken, slots=slots) as service:
        runner = local.LocalRunner(service)
        if is_started:
            runner.start()
        yield runner
        gate.open()
        runner.close(DEADLINE_S)
    assert not [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]


def closed_gate(*, words: int) -> Gate:
    """Let the stages before the text pass, and this many words."""
    gate = Gate(is_open=False)
    gate.allow(Stage.LOADING, 4)
    gate.allow(Stage.PREFILL, 2)
    gate.allow(Stage.DECODE, words)
    return gate


def test_a_waiting_reply_is_answered(alice: User, heard: Heard) -> None:
    reply = a_reply(alice)

    with running():
        ended = heard.wait_for_end()

    reply.refresh_from_db()
    assert ended == reply.pk
    assert (reply.state, reply.text) == ("done", WORDS)


def test_the_doorbell_wakes_a_sleeping_runner(alice: User, heard: Heard) -> None:
    with running() as runner:
        runner.service.wait_ready(DEADLINE_S)
        reply = a_reply(alice)
        runner.ring()

        assert heard.wait_for_end() == reply.pk


def test_a_turn_rings_the_doorbell_by_itself(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as runner:
        monkeypatch.setattr(local, "runner", lambda: runner)
        runner.service.wait_ready(DEADLINE_S)
        turn = a_turn(alice)

        assert heard.wait_for_end() == turn.reply.pk


def test_a_lost_doorbell_costs_only_time(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "DOORBELL_S", 0.05)
    with running() as runner:
        runner.service.wait_ready(DEADLINE_S)
        reply = a_reply(alice)

        assert heard.wait_for_end() == reply.pk


def test_many_rings_answer_once(alice: User, heard: Heard) -> None:
    with running() as runner:
        runner.service.wait_ready(DEADLINE_S)
        a_reply(alice)
        for _ in range(20):
            runner.ring()
        heard.wait_for_end()
        last = a_reply(alice)
        runner.ring()

        assert heard.wait_for_end() == last.pk


def test_replies_wait_while_the_model_loads(alice: User, heard: Heard) -> None:
    reply = a_reply(alice)
    gate = Gate(is_open=False)

    with running(gate=gate) as runner:
        gate.wait_until_blocked(Stage.LOADING, DEADLINE_S)
        runner.ring()
        reply.refresh_from_db()
        state_while_loading, was_ready = reply.state, runner.is_ready
        gate.open()
        heard.wait_for_end()

    reply.refresh_from_db()
    assert (state_while_loading, was_ready) == ("queued", False)
    assert (reply.state, reply.attempt) == ("done", 1)


def test_a_model_that_did_not_load_answers_model_unavailable(alice: User, heard: Heard) -> None:
    reply = a_reply(alice)
    failure = InferenceError(InferenceCode.MODEL_UNAVAILABLE, "injected")

    with running(failures={Stage.LOADING: failure}) as runner:
        heard.wait_for_end()
        is_ready = runner.is_ready

    reply.refresh_from_db()
    assert (reply.state, reply.error_code) == ("failed", "model_unavailable")
    assert not is_ready


def test_a_runner_is_ready_once_its_model_is(alice: User) -> None:
    with running() as runner:
        runner.service.wait_ready(DEADLINE_S)

        assert runner.is_ready


def test_a_runner_that_was_not_started_is_not_ready() -> None:
    with running(is_started=False) as runner:
        runner.service.wait_ready(DEADLINE_S)

        assert not runner.is_ready


def test_as_many_replies_run_at_once_as_there_are_slots(
    alice: User, bob: User, heard: Heard
) -> None:
    for person in (alice, bob, alice):
        a_reply(person)
    gate = Gate(is_open=False)
    gate.allow(Stage.LOADING, 4)

    with running(gate=gate, slots=2) as runner:
        wait_until(lambda: runner.service.stats().running == 2)
        states = sorted(Reply.objects.values_list("state", flat=True))
        gate.open()
        for _ in range(3):
            heard.wait_for_end()

    assert states == ["queued", "running", "running"]


def wait_until(is_true: Callable[[], bool]) -> None:
    """Look again and again, to a deadline, where no event tells."""
    ends_at = time.monotonic() + DEADLINE_S
    tick = threading.Event()
    while not is_true():
        assert time.monotonic() < ends_at
        tick.wait(0.01)


# Faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(OperationalError("injected"), id="the database is away"),
        pytest.param(ValueError("injected"), id="a bug"),
    ],
)
def test_a_runner_that_cannot_claim_tries_again(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Any error but the database's own once ended the thread, and nobody was answered."""
    reply = a_reply(alice)
    monkeypatch.setattr(local, "DOORBELL_S", 0.05)
    claim_next, calls = claims.claim_next, []

    def failing(owner: str) -> claims.Claim | None:
        calls.append(owner)
        if len(calls) < 3:
            raise error
        return claim_next(owner)

    monkeypatch.setattr(claims, "claim_next", failing)

    with running():
        assert heard.wait_for_end() == reply.pk


def test_the_sweeper_returns_a_lost_reply_and_rings(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = a_reply(alice, **RUNNING, lease_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(sweeper, "SWEEP_S", 0.05)

    with running():
        assert heard.wait_for_end() == lost.pk

    lost.refresh_from_db()
    assert (lost.state, lost.attempt, lost.text) == ("done", 2, WORDS)


def test_a_sweeper_that_fails_looks_again(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = a_reply(alice, **RUNNING, lease_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(sweeper, "SWEEP_S", 0.05)
    return_expired, calls = claims.return_expired, []

    def failing() -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise OperationalError("injected")
        return return_expired()

    monkeypatch.setattr(claims, "return_expired", failing)

    with running():
        assert heard.wait_for_end() == lost.pk


def test_a_sweep_tells_the_end_of_what_it_ends(
    alice: User, heard: Heard, settings: SettingsWrapper
) -> None:
    settings.VL_REPLY_DEADLINE_S = 60
    overdue = a_reply(alice, waiting_s=61)
    a_reply(alice, **RUNNING, lease_until=timezone.now() - timedelta(seconds=1))

    returned = sweeper.sweep()

    assert returned == 1
    assert heard.wait_for_end() == overdue.pk
    assert heard.end_count == 0


# Closing ------------------------------------------------------------------------------------


def test_a_closing_runner_gives_its_reply_back_and_the_next_one_finishes_it(
    alice: User, heard: Heard
) -> None:
    reply = a_reply(alice)
    gate = closed_gate(words=2)
    with running(gate=gate) as first:
        gate.wait_until_blocked(Stage.DECODE, DEADLINE_S)
        wait_until(lambda: gate._allowed[Stage.DECODE] == 0 and heard_words(heard) == 2)
        first.close(DEADLINE_S)
        reply.refresh_from_db()
        given_back = (reply.state, reply.text, len(reply.token_ids))
        heard.wait_for_end()

    with running():
        heard.wait_for_end()

    reply.refresh_from_db()
    assert given_back == ("queued", "one two ", 2)
    assert (reply.state, reply.text, reply.attempt) == ("done", WORDS, 2)


def heard_words(heard: Heard) -> int:
    """Count the words that followers have heard."""
    return len("".join(text for _, text in heard.texts).split())


def test_a_reply_claimed_while_the_runner_closes_goes_back(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The closed service once failed it as `model_unavailable`."""
    reply = a_reply(alice)
    claim_next = claims.claim_next
    with running(is_started=False) as runner:

        def claim_too_late(owner: str) -> claims.Claim | None:
            claimed = claim_next(owner)
            runner._is_closing = True
            runner.service.close()
            return claimed

        monkeypatch.setattr(claims, "claim_next", claim_too_late)
        runner.start()
        heard.wait_for_end()

    reply.refresh_from_db()
    assert (reply.state, reply.error_code) == ("queued", "")


def test_a_closed_runner_answers_nothing_more(alice: User, heard: Heard) -> None:
    with running() as runner:
        runner.close(DEADLINE_S)
        reply = a_reply(alice)
        runner.ring()

    reply.refresh_from_db()
    assert reply.state == "queued"


def test_closing_twice_is_harmless(alice: User) -> None:
    with running() as runner:
        runner.close(DEADLINE_S)
        runner.close(DEADLINE_S)

        assert not runner.is_ready


# Stop ---------------------------------------------------------------------------------------


def test_stop_ends_a_running_reply_within_a_token(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = a_reply(alice)
    gate = closed_gate(words=2)
    with running(gate=gate) as runner:
        monkeypatch.setattr(local, "runner", lambda: runner)
        wait_until(lambda: heard_words(heard) == 2)
        local.stop(alice, reply.pk, seen_offset=None)
        heard.wait_for_end()

    reply.refresh_from_db()
    assert (reply.state, reply.text) == ("stopped", "one two ")


def test_stop_ends_a_waiting_reply_at_once(alice: User, heard: Heard) -> None:
    reply = a_reply(alice)

    local.stop(alice, reply.pk, seen_offset=None)

    reply.refresh_from_db()
    assert reply.state == "stopped"
    assert heard.wait_for_end() == reply.pk


def test_those_behind_a_stopped_reply_move_up(alice: User, bob: User, heard: Heard) -> None:
    first = a_reply(alice, waiting_s=9)
    a_reply(bob)
    heard.stages.clear()

    local.stop(alice, first.pk, seen_offset=None)

    assert heard.stages == [{"stage": "queued", "position": 1}]


def test_a_stranger_cannot_stop_a_reply(alice: User, bob: User, heard: Heard) -> None:
    reply = a_reply(alice)

    with pytest.raises(ChatError) as caught:
        local.stop(bob, reply.pk, seen_offset=None)

    reply.refresh_from_db()
    assert caught.value.code == ErrorCode.MESSAGE_NOT_FOUND
    assert (reply.state, reply.is_cancel_requested) == ("queued", False)


def test_stopping_an_ended_reply_changes_nothing(alice: User, heard: Heard) -> None:
    reply = a_reply(alice, state="done", finish_reason="stop", text="all")
    before = row_of(reply.pk).values().get()

    local.stop(alice, reply.pk, seen_offset=0)

    assert row_of(reply.pk).values().get() == before
    assert heard.end_count == 0


def test_deleting_a_conversation_frees_the_model(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = a_reply(alice)
    gate = closed_gate(words=2)
    with running(gate=gate) as runner:
        monkeypatch.setattr(local, "runner", lambda: runner)
        wait_until(lambda: heard_words(heard) == 2)
        conversations.delete(reply.message.conversation)

        wait_until(lambda: runner.service.stats().running == 0)


# Configuration ------------------------------------------------------------------------------


def test_the_service_is_configured_by_the_settings(settings: SettingsWrapper) -> None:
    settings.VL_MODEL = "owner/name"
    settings.VL_THREADS = 3
    settings.VL_DTYPE = "fp32"
    settings.VL_QUANTIZATION = "int4"
    settings.VL_KV_CACHE_BYTES = 2**22
    settings.VL_MAX_TOKENS = 99
    settings.VL_CONTEXT_TOKENS = 4096
    settings.VL_PIXELS = "detail"
    settings.HF_HUB_OFFLINE = True
    settings.HF_ENDPOINT = "https://hub.example.org"

    config = local.inference_config()

    assert (config.backend, config.model, config.threads) == ("scripted", "owner/name", 3)
    assert (config.dtype, config.max_tokens, config.context_tokens) == ("fp32", 99, 4096)
    assert (config.pixels, config.hub_offline) == (PixelBudget.DETAIL, True)
    assert (config.quantization, config.kv_cache_bytes) == ("int4", 2**22)
    assert config.hub_endpoint == "https://hub.example.org"


@pytest.mark.parametrize(
    ("backend", "asked_for", "slots"),
    [("auto", 0, 8), ("engine", 0, 8), ("transformers", 0, 1), ("transformers", 3, 3)],
)
def test_the_engine_gets_more_slots_unless_told_otherwise(
    settings: SettingsWrapper, backend: str, asked_for: int, slots: int
) -> None:
    settings.VL_BACKEND = backend
    settings.VL_SLOTS = asked_for

    assert local.inference_config().slots == slots


def test_without_a_model_name_the_service_chooses(settings: SettingsWrapper) -> None:
    settings.VL_MODEL = ""

    assert local.inference_config().model is None


def test_a_process_has_one_runner() -> None:
    assert local.runner() is local.runner()
