"""The lease on a reply's row: what older attempts and illegal moves cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from chat.errors import ErrorCode
from chat.generation import claim as claims
from chat.generation.claim import LeaseLostError
from chat.models import Reply
from tests.chat.factories import RUNNING, a_reply, row_of
from tests.chat.generation.claiming import (
    ENDED,
    OUTCOME,
    claim,
    expire,
    row,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from chat.generation.claim import Claim


# Fencing --------------------------------------------------------------------------------------


WRITES: list[Any] = [
    pytest.param(claims.renew, id="renew"),
    pytest.param(lambda held: claims.checkpoint(held, text="x", token_ids=[9]), id="checkpoint"),
    pytest.param(lambda held: claims.finish(held, OUTCOME), id="finish"),
    pytest.param(lambda held: claims.fail(held, ErrorCode.GENERATION_FAILED, text="x"), id="fail"),
]


@pytest.mark.parametrize("write", WRITES)
def test_an_older_attempt_cannot_write(alice: User, write: Callable[[Claim], None]) -> None:
    a_reply(alice)
    old = claim()
    claims.give_back(old)
    claim()
    before = row(old.reply_id)

    with pytest.raises(LeaseLostError, match="expected running, attempt 1; found running, atte"):
        write(old)

    assert row(old.reply_id) == before


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("ended", ENDED)
def test_nobody_writes_after_the_end(
    alice: User, write: Callable[[Claim], None], ended: dict[str, Any]
) -> None:
    reply = a_reply(alice)
    held = claim()
    row_of(reply.pk).update(**ended, ended_at=timezone.now(), lease_owner="", lease_until=None)
    before = row(reply.pk)

    with pytest.raises(LeaseLostError, match=f"found {ended['state']}, attempt 1"):
        write(held)

    assert row(reply.pk) == before


@pytest.mark.parametrize("write", WRITES)
def test_a_deleted_reply_cannot_be_written(alice: User, write: Callable[[Claim], None]) -> None:
    reply = a_reply(alice)
    held = claim()
    reply.message.conversation.delete()

    with pytest.raises(LeaseLostError, match="found no row"):
        write(held)


def test_giving_back_what_another_attempt_writes_changes_nothing(alice: User) -> None:
    a_reply(alice)
    old = claim()
    claims.give_back(old)
    claim()
    before = row(old.reply_id)

    claims.give_back(old)

    assert row(old.reply_id) == before


# Every move -----------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [pytest.param(state, id=f"to {state}") for state in Reply.State])
@pytest.mark.parametrize(
    "come_from",
    [
        pytest.param({}, id="queued"),
        pytest.param(RUNNING, id="running"),
        *ENDED,
    ],
)
def test_an_illegal_move_changes_nothing(alice: User, come_from: dict[str, Any], to: str) -> None:
    reply = a_reply(alice, **come_from)
    before = row(reply.pk)
    allowed = {
        ("queued", "running"),
        ("queued", "stopped"),
        ("queued", "failed"),
        ("running", "queued"),
        ("running", "done"),
        ("running", "stopped"),
        ("running", "failed"),
    }

    is_allowed = before["state"] in claims.COMES_FROM[to]
    if not is_allowed:
        claims._move(row_of(reply.pk), to)

    assert is_allowed == ((before["state"], to) in allowed)
    assert row(reply.pk) == before


@pytest.mark.parametrize(
    "is_lost", [pytest.param(False, id="waiting"), pytest.param(True, id="its worker lost")]
)
def test_a_stop_without_a_writer_keeps_only_the_text_that_was_seen(
    alice: User, is_lost: bool
) -> None:
    reply = a_reply(alice, text="one two three", **(RUNNING if is_lost else {}))

    claims.request_stop(reply.pk, seen_offset=4)
    if is_lost:
        expire(reply.pk)
        claims.return_expired()

    assert row(reply.pk)["state"] == "stopped"
    assert row(reply.pk)["text"] == "one "
