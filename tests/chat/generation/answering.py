"""Answering claimed replies in a test: a model that counts, and what goes wrong on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from chat.generation import answer as answers
from chat.generation import claim as claims
from chat.generation import news
from chat.generation.answer import Answer
from chat.generation.reply_log import MemoryReplyLog
from chat.models import Reply
from inference.requests import Stage
from inference.testing import Gate, Script, scripted_service
from tests.chat.factories import row_of

if TYPE_CHECKING:
    import uuid

    from inference.service import InferenceService

DEADLINE_S = 10.0
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


def take_over(reply_id: uuid.UUID) -> None:
    """Let another attempt claim it, beside the one that answers."""
    row_of(reply_id).update(attempt=2, lease_owner="another")
