"""Answering one claimed reply: what is told, kept and renewed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chat.generation import answer as answers
from chat.generation import claim as claims
from chat.generation.reply_log import MemoryReplyLog
from tests.chat.factories import a_picture, a_reply, a_turn
from tests.chat.generation.answering import (
    WORDS,
    answer_next,
)
from tests.chat.generation.conftest import Heard

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from inference.service import InferenceService


# The way it should go -------------------------------------------------------------------------


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


# Checkpoints ----------------------------------------------------------------------------------


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
