"""Answering what another attempt began, or goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import InterfaceError, OperationalError

from chat.generation import answer as answers
from chat.generation import claim as claims
from chat.generation.answer import Answer
from chat.generation.reply_log import MemoryReplyLog
from chat.models import Reply
from inference.requests import GenerationRequest
from inference.testing import Script, scripted_service
from tests.chat.factories import a_reply, row_of
from tests.chat.generation.answering import (
    DEADLINE_S,
    WORDS,
    after_word,
    answer_next,
    closed_gate,
    fail_once,
    lose_worker,
    model,
    take_over,
)
from tests.chat.generation.conftest import Heard

if TYPE_CHECKING:
    import uuid

    from django.contrib.auth.models import User

    from inference.service import InferenceService


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
        after_word(monkeypatch, "three", lambda: take_over(reply.pk))
        answered = answer_next(service, log)

    view = log.read(reply.pk, 0)
    assert (answered.state, answered.attempt, answered.text) == ("running", 2, "")
    assert view is not None
    assert view.is_ended


def test_a_worker_whose_lease_was_taken_stops_its_model(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = a_reply(alice)
    monkeypatch.setattr(answers, "RENEW_S", 0.0)
    with model(gate=closed_gate(words=3)) as service:
        after_word(monkeypatch, "three", lambda: take_over(reply.pk))
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


class RecordingLog(MemoryReplyLog):
    """Keeps what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def append(self, reply_id: uuid.UUID, attempt: int, text: str) -> int:
        self.calls.append(text.strip())
        return super().append(reply_id, attempt, text)

    def end(self, reply_id: uuid.UUID, attempt: int, *, is_lost: bool = False) -> None:
        self.calls.append("lost" if is_lost else "ended")
        super().end(reply_id, attempt, is_lost=is_lost)


def test_a_worker_that_slept_over_a_deletion_writes_nothing_more(
    alice: User, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It told one more piece, and wrote the log's end, which nobody was left to forget."""
    reply = a_reply(alice)

    def sleep_and_lose() -> None:
        monkeypatch.setattr(answers, "RENEW_S", 0.0)
        reply.message.conversation.delete()

    log = RecordingLog()
    with model() as service:
        after_word(monkeypatch, "three", sleep_and_lose)
        claim = claims.claim_next("worker")
        assert claim is not None
        Answer(claim, service, log).run()

    assert log.calls[-1] == "lost"
    assert log.calls[-2].endswith("three")
