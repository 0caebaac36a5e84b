"""Answering that is stopped: by its person, or by the end of the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from chat.generation import answer as answers
from chat.generation import claim as claims
from chat.generation.answer import Answer
from chat.generation.reply_log import MemoryReplyLog
from chat.models import Reply
from tests.chat.factories import a_reply
from tests.chat.generation.answering import (
    WORDS,
    after_word,
    answer_next,
    closed_gate,
    model,
)
from tests.chat.generation.conftest import Heard

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from inference.service import InferenceService


# Stop -----------------------------------------------------------------------------------------


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


# The end of the process -----------------------------------------------------------------------


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
