"""Answering one claimed reply: checkpoints, takeover, stop, and every way of failing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from chat.errors import TEXTS, ErrorCode
from chat.generation import answer as answers
from chat.generation import claim as claims
from chat.generation import news
from chat.generation.answer import Answer
from chat.generation.reply_log import MemoryReplyLog
from chat.models import Reply
from inference.errors import ErrorCode as InferenceCode
from inference.errors import InferenceError
from inference.requests import GenerationRequest, Stage
from inference.testing import Gate, Script, scripted_service
from tests.chat.factories import a_picture, a_reply, a_turn, row_of
from tests.chat.generation.conftest import DEADLINE_S, Heard

if TYPE_CHECKING:
    import uuid

    from django.contrib.auth.models import User

    from inference.service import InferenceService

WORDS = "one two three four five six seven eight nine ten "


@contextlib.contextmanager
def model(
    *, words: str = WORDS, gate: Gate | None = None, **script: Any
) -> Iterator[InferenceService]:
    """Run a model that says these words."""
    spoken = Script(answer=lambda _request: words, gate=gate or Gate(), **script)
    with scripted_service(spoken) as service:
        service.wait_ready(DEADLINE_S)
        yield service


@pytest.fixture
def service() -> Iterator[InferenceService]:
    """Run a model that counts to ten."""
    with model() as service:
        yield service


def closed_gate(*, words: int) -> Gate:
    """Let the stages before the text pass, and this many words."""
    gate = Gate(is_open=False)
    for stage in (Stage.LOADING, Stage.VISION, Stage.PREFILL):
        gate.allow(stage, 4)
    gate.allow(Stage.DECODE, words)
    return gate


def answer_next(service: InferenceService, log: MemoryReplyLog | None = None) -> Reply:
    """Claim the next reply, answer it, and give its row."""
    claim = claims.claim_next("worker")
    assert claim is not None
    Answer(claim, service, log or MemoryReplyLog()).run()
    return Reply.objects.get(pk=claim.reply_id)


def after_word(monkeypatch: pytest.MonkeyPatch, word: str, act: Callable[[], object]) -> None:
    """Do something in the answering thread, once, when the text that ends with the word is told."""
    monkeypatch.setattr(answers, "COALESCE_S", 0.0)
    tell = news.text_added
    done: list[str] = []

    def tell_and_act(reply_id: uuid.UUID, *, offset: int, text: str) -> None:
        tell(reply_id, offset=offset, text=text)
        if text.strip().endswith(word) and not done:
            done.append(word)
            act()

    monkeypatch.setattr(news, "text_added", tell_and_act)


def fail_once(
    monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, *, on_call: int = 1
) -> None:
    """Let one call of a function of `claim` fail."""
    real, calls = getattr(claims, name), []

    def failing(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == on_call:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(claims, name, failing)


def lose_worker(reply_id: uuid.UUID) -> None:
    """Let the lease run out, and the sweeper find it."""
    row_of(reply_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claims.return_expired() == (1, [])


# The way it should go -----------------------------------------------------------------------


def test_the_row_holds_the_whole_answer(
    alice: User, service: InferenceService, heard: Heard
) -> None:
    a_turn(alice, image_ids=[a_picture(alice).pk])

    reply = answer_next(service)

    assert (reply.state, reply.finish_reason, reply.text) == ("done", "stop", WORDS)
    assert len(reply.token_ids) == reply.usage["completion_tokens"] == 10
    assert reply.usage["image_tokens"] > 0
    assert (reply.model, reply.is_demo) == ("scripted", False)


def test_timings_begin_with_the_wait(alice: User, service: InferenceService, heard: Heard) -> None:
    a_reply(alice, waiting_s=7)

    reply = answer_next(service)

    assert 7000 <= reply.timings["queued_ms"] < 17_000
    assert set(reply.timings) == {
        "queued_ms", "vision_ms", "prefill_ms", "first_token_ms", "total_ms", "tokens_per_s",
    }  # fmt: skip


def test_followers_hear_the_text_in_order_and_one_end(
    alice: User, service: InferenceService, heard: Heard
) -> None:
    reply = a_reply(alice)

    answer_next(service)

    assert heard.text == WORDS
    assert heard.wait_for_end() == reply.pk
    assert heard.end_count == 0


def test_followers_hear_the_stages(alice: User, service: InferenceService, heard: Heard) -> None:
    a_turn(alice, image_ids=[a_picture(alice).pk])

    answer_next(service)

    told = [(stage["stage"], stage["done"], stage["total"]) for stage in heard.stages]
    assert told == [("vision", 1, 2), ("vision", 2, 2), ("prefill", 1, 2), ("prefill", 2, 2)]


def test_the_log_holds_what_was_told_and_is_ended(
    alice: User, service: InferenceService, heard: Heard
) -> None:
    a_reply(alice)
    log = MemoryReplyLog()

    reply = answer_next(service, log)

    view = log.read(reply.pk, 0)
    assert view is not None
    assert (view.text, view.is_ended) == (WORDS, True)


def test_text_is_gathered_before_it_is_told(
    alice: User, service: InferenceService, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "COALESCE_S", 3600.0)
    a_reply(alice)

    answer_next(service)

    assert len(heard.texts) <= 2
    assert heard.text == WORDS


# Checkpoints --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "kept"),
    [
        pytest.param((4, 3600.0), [4, 8], id="by tokens"),
        pytest.param((1000, 0.0), list(range(1, 11)), id="by time"),
        pytest.param((1000, 3600.0), [], id="not due"),
    ],
)
def test_text_and_tokens_are_kept_on_the_way(
    alice: User,
    service: InferenceService,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    due: tuple[int, float],
    kept: list[int],
) -> None:
    monkeypatch.setattr(answers, "CHECKPOINT_TOKENS", due[0])
    monkeypatch.setattr(answers, "CHECKPOINT_S", due[1])
    a_reply(alice)
    checkpoints: list[tuple[str, int]] = []

    def checkpoint(_claim: object, *, text: str, token_ids: list[int]) -> None:
        checkpoints.append((text, len(token_ids)))

    monkeypatch.setattr(claims, "checkpoint", checkpoint)

    answer_next(service)

    assert [count for _, count in checkpoints] == kept
    assert all(text == _first_words(count) for text, count in checkpoints)


def _first_words(count: int) -> str:
    return "".join(f"{word} " for word in WORDS.split()[:count])


def test_the_lease_is_renewed_on_the_way(
    alice: User, service: InferenceService, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "RENEW_S", 0.0)
    a_reply(alice)
    renewals: list[int] = []
    renew = claims.renew

    def count(claim: claims.Claim) -> bool:
        renewals.append(claim.attempt)
        return renew(claim)

    monkeypatch.setattr(claims, "renew", count)

    answer_next(service)

    assert len(renewals) > 10


# Takeover -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_another_attempt_goes_on_with_the_same_text(
    alice: User,
    service: InferenceService,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    """A database that went away for a moment once ended the answer as failed."""
    reply = a_reply(alice)
    monkeypatch.setattr(answers, "CHECKPOINT_TOKENS", 3)
    fail_once(monkeypatch, "checkpoint", error("injected"), on_call=2)

    with pytest.raises(error):
        answer_next(service)
    interrupted = Reply.objects.get()
    lose_worker(reply.pk)
    again = answer_next(service)

    assert (interrupted.state, interrupted.text) == ("running", "one two three ")
    assert (again.state, again.text, again.attempt) == ("done", WORDS, 2)
    assert len(again.token_ids) == 10


def test_the_continuing_model_gets_the_accepted_tokens(alice: User, heard: Heard) -> None:
    reply = a_reply(alice, text="one two ", attempt=1)
    requests: list[GenerationRequest] = []

    def say(request: GenerationRequest) -> str:
        requests.append(request)
        return WORDS

    with scripted_service(Script(answer=say)) as service:
        service.wait_ready(DEADLINE_S)
        from inference.backends.scripted import word_id

        row_of(reply.pk).update(token_ids=[word_id("one "), word_id("two ")])
        answered = answer_next(service)

    assert requests[-1].prefix_token_ids == (word_id("one "), word_id("two "))
    assert answered.text == WORDS


def test_followers_of_a_continued_reply_are_told(
    alice: User, service: InferenceService, heard: Heard
) -> None:
    a_reply(alice, attempt=1)

    answer_next(service)

    assert heard.stages[0] == {"stage": "prefill", "resumed": True}


def test_a_continued_reply_tells_only_what_is_new(
    alice: User, service: InferenceService, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = a_reply(alice)
    monkeypatch.setattr(answers, "CHECKPOINT_TOKENS", 3)
    fail_once(monkeypatch, "checkpoint", OperationalError("injected"), on_call=2)
    with pytest.raises(OperationalError):
        answer_next(service)
    lose_worker(reply.pk)
    heard.texts.clear()

    answer_next(service)

    assert heard.texts[0][0] == len("one two three ")
    assert "".join(text for _, text in heard.texts) == WORDS.removeprefix("one two three ")


def test_a_worker_whose_lease_was_taken_writes_no_more(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = a_reply(alice)
    monkeypatch.setattr(answers, "RENEW_S", 0.0)
    log = MemoryReplyLog()
    with model() as service:
        after_word(monkeypatch, "three", lambda: _take_over(reply.pk))
        answered = answer_next(service, log)

    view = log.read(reply.pk, 0)
    assert (answered.state, answered.attempt, answered.text) == ("running", 2, "")
    assert view is not None
    assert view.is_ended


def _take_over(reply_id: uuid.UUID) -> None:
    row_of(reply_id).update(attempt=2, lease_owner="another")


def test_a_worker_whose_lease_was_taken_stops_its_model(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = a_reply(alice)
    monkeypatch.setattr(answers, "RENEW_S", 0.0)
    with model(gate=closed_gate(words=3)) as service:
        after_word(monkeypatch, "three", lambda: _take_over(reply.pk))
        claim = claims.claim_next("worker")
        assert claim is not None
        answer = Answer(claim, service, MemoryReplyLog())
        answer.run()

        assert answer._generation is not None
        assert answer._generation.cancellation.is_set


def test_a_reply_deleted_on_the_way_ends_quietly(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = a_reply(alice)
    monkeypatch.setattr(answers, "RENEW_S", 0.0)
    with model() as service:
        after_word(monkeypatch, "three", reply.message.conversation.delete)
        claim = claims.claim_next("worker")
        assert claim is not None
        Answer(claim, service, MemoryReplyLog()).run()

    assert not Reply.objects.exists()
    assert heard.wait_for_end() == claim.reply_id


# Stop ---------------------------------------------------------------------------------------


def test_a_stop_asked_for_before_the_start_ends_it_without_text(alice: User, heard: Heard) -> None:
    a_reply(alice, is_cancel_requested=True)
    with model(gate=closed_gate(words=0)) as service:
        reply = answer_next(service)

    assert (reply.state, reply.text) == ("stopped", "")


def test_a_stop_asked_for_in_the_row_is_seen_at_the_next_renewal(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = a_reply(alice)
    monkeypatch.setattr(answers, "RENEW_S", 0.0)
    with model(gate=closed_gate(words=3)) as service:
        after_word(
            monkeypatch,
            "three",
            lambda: claims.request_stop(waiting.pk, seen_offset=4),
        )
        reply = answer_next(service)

    assert (reply.state, reply.finish_reason, reply.text) == ("stopped", "stopped", "one ")


def test_cancel_before_generation_began_ends_it_without_text(alice: User, heard: Heard) -> None:
    a_reply(alice)
    with model(gate=closed_gate(words=0)) as service:
        claim = claims.claim_next("worker")
        assert claim is not None
        answer = Answer(claim, service, MemoryReplyLog())
        answer.cancel()
        answer.run()

    assert Reply.objects.get().state == "stopped"


# The end of the process ---------------------------------------------------------------------


def run_released(
    monkeypatch: pytest.MonkeyPatch, after: Callable[[InferenceService], None]
) -> Reply:
    """Answer three words, then release the answer, and do `after`."""
    with model(gate=closed_gate(words=3)) as service:
        claim = claims.claim_next("worker")
        assert claim is not None
        answer = Answer(claim, service, MemoryReplyLog())

        def end() -> None:
            after(service)
            answer.release()
            service.close()

        after_word(monkeypatch, "three", end)
        answer.run()
    return Reply.objects.get()


def test_a_released_reply_goes_back_with_its_text(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The closing service once ended it as failed before its slot had noticed the stop."""
    a_reply(alice)

    reply = run_released(monkeypatch, lambda service: None)

    assert (reply.state, reply.text, reply.error_code) == ("queued", "one two three ", "")
    assert len(reply.token_ids) == 3


def test_a_reply_released_by_a_closed_service_goes_back_too(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_reply(alice)

    reply = run_released(monkeypatch, lambda service: service.close())

    assert (reply.state, reply.text) == ("queued", "one two three ")


def test_a_released_reply_is_finished_by_the_next_worker_with_equal_text(
    alice: User, service: InferenceService, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_reply(alice)
    with monkeypatch.context() as first_worker:
        run_released(first_worker, lambda service: None)

    reply = answer_next(service)

    assert (reply.state, reply.text, reply.attempt) == ("done", WORDS, 2)


def test_a_reply_released_before_it_began_goes_back(
    alice: User, service: InferenceService, heard: Heard
) -> None:
    a_reply(alice)
    service.close()
    claim = claims.claim_next("worker")
    assert claim is not None
    answer = Answer(claim, service, MemoryReplyLog())
    answer.release()

    answer.run()

    assert Reply.objects.get().state == "queued"


# Failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [pytest.param(code, id=code.value) for code in InferenceCode])
def test_each_inference_error_reaches_the_person_with_its_code(
    alice: User, heard: Heard, code: InferenceCode
) -> None:
    a_reply(alice)
    with model(failures={Stage.PREFILL: InferenceError(code, "injected")}) as service:
        reply = answer_next(service)

    told = "generation_failed" if code is InferenceCode.INVALID_OPTIONS else code.value
    assert (reply.state, reply.error_code) == ("failed", told)
    assert TEXTS[ErrorCode(reply.error_code)]


def test_a_failure_half_way_keeps_the_text(alice: User, heard: Heard) -> None:
    a_reply(alice)
    failure = InferenceError(InferenceCode.OUT_OF_MEMORY, "injected")
    with model(failures={Stage.DECODE: failure}, fail_after_tokens=2) as service:
        reply = answer_next(service)

    assert (reply.state, reply.error_code, reply.text) == ("failed", "out_of_memory", "one two ")
    assert heard.text == "one two "
    assert heard.end_count == 1


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        pytest.param(RuntimeError("injected"), "generation_failed", id="a bug in the model"),
        pytest.param(MemoryError(), "out_of_memory", id="no memory"),
    ],
)
def test_an_unforeseen_failure_of_the_model_is_an_honest_error(
    alice: User, heard: Heard, failure: Exception, code: str
) -> None:
    a_reply(alice)
    with model(failures={Stage.PREFILL: failure}) as service:
        reply = answer_next(service)

    assert (reply.state, reply.error_code) == ("failed", code)


def test_a_model_that_did_not_load_answers_model_unavailable(alice: User, heard: Heard) -> None:
    a_reply(alice)
    failure = InferenceError(InferenceCode.MODEL_UNAVAILABLE, "config.json: injected")
    with model(failures={Stage.LOADING: failure}) as service:
        reply = answer_next(service)

    assert (reply.state, reply.error_code) == ("failed", "model_unavailable")


def test_a_picture_missing_in_storage_fails_the_reply(
    alice: User, service: InferenceService, heard: Heard
) -> None:
    picture = a_picture(alice)
    a_turn(alice, image_ids=[picture.pk])
    picture.file.delete(save=False)

    reply = answer_next(service)

    assert (reply.state, reply.error_code) == ("failed", "generation_failed")


def test_a_bug_on_the_way_fails_the_reply_and_stops_the_model(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_reply(alice)

    def explode() -> None:
        raise RuntimeError("injected")

    with model(gate=closed_gate(words=3)) as service:
        after_word(monkeypatch, "three", explode)
        reply = answer_next(service)

    assert (reply.state, reply.error_code) == ("failed", "generation_failed")
    assert reply.text == "one two three "


def test_a_failure_after_the_lease_was_taken_changes_nothing(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = a_reply(alice)

    def explode() -> None:
        _take_over(waiting.pk)
        raise RuntimeError("injected")

    with model(gate=closed_gate(words=3)) as service:
        after_word(monkeypatch, "three", explode)
        reply = answer_next(service)

    assert (reply.state, reply.attempt) == ("running", 2)
