"""Going on with an answer that ended before it had said all: the same reply, its text kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chat.errors import ChatError, ErrorCode
from chat.generation import claim as claims
from chat.generation.continuing import continue_reply
from chat.generation.reply_log import MemoryReplyLog
from chat.models import Reply
from chat.protocol import ContinueFrame, TurnOptions
from tests.chat.factories import a_reply, a_turn, end_reply
from tests.chat.generation.answering import (
    WORDS,
    after_word,
    answer_next,
    closed_gate,
    lose_worker,
    model,
)
from tests.chat.generation.conftest import Heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User

    from inference.service import InferenceService


@pytest.fixture
def service() -> Iterator[InferenceService]:
    """Run a model that counts to ten."""
    with model() as service:
        yield service


def refusal(user: User, reply: Reply) -> ErrorCode:
    """Ask for what must be refused; give the code."""
    with pytest.raises(ChatError) as caught:
        continue_reply(user, ContinueFrame(reply.pk))
    return caught.value.code


@pytest.fixture
def stopped(alice: User, monkeypatch: pytest.MonkeyPatch) -> Reply:
    """Have an answer that its reader stopped in the middle of the second word."""
    reply = a_turn(alice).reply
    monkeypatch.setattr("chat.generation.answer.RENEW_S", 0.0)
    after_word(monkeypatch, "five", lambda: claims.request_stop(reply.pk, seen_offset=6))
    with model(gate=closed_gate(words=5)) as slow:
        ended = answer_next(slow)
    assert (ended.state, ended.text) == ("stopped", "one tw")
    return ended


def test_an_answer_cut_off_at_its_limit_goes_on_from_its_tokens(
    alice: User, service: InferenceService, heard: Heard
) -> None:
    turn = a_turn(alice, options=TurnOptions(max_tokens=4))
    cut = answer_next(service)
    assert (cut.finish_reason, cut.text) == ("length", "one two three four ")

    accepted = continue_reply(alice, ContinueFrame(cut.pk))
    whole = answer_next(service)

    assert (accepted.reply, accepted.message) == (turn.reply.pk, turn.message.pk)
    assert (whole.pk, whole.state, whole.text) == (cut.pk, "done", WORDS)
    assert whole.token_ids[:4] == cut.token_ids
    assert len(whole.token_ids) == whole.usage["completion_tokens"] == 10
    assert heard.text == WORDS
    assert heard.end_count == 2


def test_a_stopped_answer_goes_on_from_the_text_that_was_seen(
    alice: User, stopped: Reply, service: InferenceService
) -> None:
    continue_reply(alice, ContinueFrame(stopped.pk))
    whole = answer_next(service)

    assert (whole.state, whole.text) == ("done", WORDS)
    assert len(whole.token_ids) == 10


def test_a_worker_lost_while_it_goes_on_is_taken_over_as_often_as_before(
    alice: User, stopped: Reply, service: InferenceService
) -> None:
    Reply.objects.filter(pk=stopped.pk).update(attempt=claims.MAX_ATTEMPTS)
    continue_reply(alice, ContinueFrame(stopped.pk))
    for _ in range(claims.MAX_ATTEMPTS - 1):
        assert claims.claim_next("a worker that dies") is not None
        lose_worker(stopped.pk)

    whole = answer_next(service)

    assert (whole.state, whole.text) == ("done", WORDS)
    assert whole.is_taken_over


def test_nobody_is_told_of_a_restart_that_was_none(
    alice: User, stopped: Reply, service: InferenceService
) -> None:
    continue_reply(alice, ContinueFrame(stopped.pk))

    claim = claims.claim_next("worker")

    assert claim is not None
    assert claim.attempt == 2
    assert not claim.reply.is_taken_over


def test_an_answer_that_repeated_itself_is_let_go_on(alice: User) -> None:
    reply = a_reply(alice, state="done", finish_reason="repetition", text="la la", token_ids=[1, 2])

    continue_reply(alice, ContinueFrame(reply.pk))

    options = Reply.objects.get(pk=reply.pk).options
    assert options["is_unguarded"]
    assert options["max_tokens"] > 2


@pytest.mark.parametrize(
    "ended",
    [
        pytest.param({"state": "done", "finish_reason": "stop"}, id="complete"),
        pytest.param({"state": "failed", "error_code": "out_of_memory"}, id="failed"),
    ],
)
def test_an_answer_that_said_all_or_failed_is_left_alone(
    alice: User, ended: dict[str, Any]
) -> None:
    reply = a_reply(alice, **ended)

    assert refusal(alice, reply) == ErrorCode.BAD_FRAME
    assert Reply.objects.get(pk=reply.pk).state == ended["state"]


def test_nothing_goes_on_beside_an_answer_that_is_written(alice: User) -> None:
    turn = a_turn(alice)
    end_reply(turn.reply, "one two", state="stopped", finish_reason="stopped")
    a_turn(alice, conversation_id=turn.conversation.pk)

    assert refusal(alice, turn.reply) == ErrorCode.ALREADY_RUNNING


def test_somebody_elses_answer_is_a_missing_one(alice: User, bob: User) -> None:
    reply = a_reply(alice, state="stopped", finish_reason="stopped")

    assert refusal(bob, reply) == ErrorCode.MESSAGE_NOT_FOUND


def test_the_log_of_the_end_gives_way(alice: User, service: InferenceService) -> None:
    a_turn(alice, options=TurnOptions(max_tokens=4))
    log = MemoryReplyLog()
    cut = answer_next(service, log)
    before = log.read(cut.pk, 0)
    assert before is not None
    assert before.is_ended

    continue_reply(alice, ContinueFrame(cut.pk))
    answer_next(service, log)

    after = log.read(cut.pk, 0)
    assert after is not None
    assert after.text == WORDS
