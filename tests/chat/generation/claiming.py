"""Claims in a test: made, run out, looked at."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from chat.generation import claim as claims
from chat.generation.claim import Outcome
from tests.chat.factories import row_of

if TYPE_CHECKING:
    from chat.generation.claim import Claim

OUTCOME = Outcome(
    text="one two three",
    token_ids=[1, 2, 3],
    finish_reason="stop",
    usage={"completion_tokens": 3},
    timings={"total_ms": 9},
    model="scripted",
    is_demo=True,
)
PAST = timedelta(seconds=-1)
ENDED: list[Any] = [
    pytest.param({"state": "done", "finish_reason": "stop"}, id="done"),
    pytest.param({"state": "stopped", "finish_reason": "stopped"}, id="stopped"),
    pytest.param({"state": "failed", "error_code": "out_of_memory"}, id="failed"),
]


def claim(owner: str = "worker") -> Claim:
    """Claim what surely waits."""
    claimed = claims.claim_next(owner)
    assert claimed is not None
    return claimed


def expire(reply_id: uuid.UUID) -> None:
    """Let the lease run out."""
    assert row_of(reply_id).update(lease_until=timezone.now() + PAST)


def row(reply_id: uuid.UUID) -> dict[str, Any]:
    """Read the whole row."""
    return dict(row_of(reply_id).values().get())


def claim_and_finish() -> uuid.UUID:
    """Answer the best reply at once, as a single slot does; give its id."""
    claimed = claim()
    claims.finish(claimed, Outcome(text="", token_ids=[], finish_reason="stop"))
    return claimed.reply_id
