"""Answering that fails: each error reaches its person, with the text so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chat.errors import TEXTS, ErrorCode
from inference.errors import ErrorCode as InferenceCode
from inference.errors import InferenceError
from inference.requests import Stage
from tests.chat.factories import a_picture, a_reply, a_turn
from tests.chat.generation.answering import (
    after_word,
    answer_next,
    closed_gate,
    model,
    take_over,
)
from tests.chat.generation.conftest import Heard

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from inference.service import InferenceService


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
        take_over(waiting.pk)
        raise RuntimeError("injected")

    with model(gate=closed_gate(words=3)) as service:
        after_word(monkeypatch, "three", explode)
        reply = answer_next(service)

    assert (reply.state, reply.attempt) == ("running", 2)
