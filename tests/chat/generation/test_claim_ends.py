"""The lease on a reply's row: stop, lost workers, deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chat.generation import claim as claims
from chat.generation.claim import MAX_ATTEMPTS
from tests.chat.factories import RUNNING, a_reply
from tests.chat.generation.claiming import (
    ENDED,
    claim,
    expire,
    row,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User


# Stop -----------------------------------------------------------------------------------------


def test_a_waiting_reply_stops_at_once(alice: User) -> None:
    reply = a_reply(alice)

    has_ended = claims.request_stop(reply.pk, seen_offset=None)

    kept = row(reply.pk)
    assert has_ended
    assert (kept["state"], kept["finish_reason"]) == ("stopped", "stopped")
    assert claims.claim_next("worker") is None


def test_a_running_reply_is_asked_to_stop(alice: User) -> None:
    reply = a_reply(alice, **RUNNING)

    has_ended = claims.request_stop(reply.pk, seen_offset=3)

    kept = row(reply.pk)
    assert not has_ended
    assert (kept["state"], kept["is_cancel_requested"]) == ("running", True)
    assert kept["cancel_seen_offset"] == 3


def test_the_first_stop_decides_what_was_seen(alice: User) -> None:
    reply = a_reply(alice, **RUNNING)

    claims.request_stop(reply.pk, seen_offset=3)
    claims.request_stop(reply.pk, seen_offset=9)

    assert row(reply.pk)["cancel_seen_offset"] == 3


@pytest.mark.parametrize("ended", ENDED)
def test_stopping_an_ended_reply_changes_nothing(alice: User, ended: dict[str, Any]) -> None:
    reply = a_reply(alice, **ended)
    before = row(reply.pk)

    has_ended = claims.request_stop(reply.pk, seen_offset=0)

    assert not has_ended
    assert row(reply.pk) == before


# Lost workers ---------------------------------------------------------------------------------


def test_a_live_lease_is_left_alone(alice: User) -> None:
    reply = a_reply(alice, **RUNNING)

    assert claims.return_expired() == (0, [])
    assert row(reply.pk)["state"] == "running"


def test_an_expired_lease_returns_the_reply_with_its_text(alice: User) -> None:
    reply = a_reply(alice, **RUNNING, text="one", token_ids=[1])
    expire(reply.pk)

    returned = claims.return_expired()

    kept = row(reply.pk)
    assert returned == (1, [])
    assert (kept["state"], kept["text"], kept["token_ids"]) == ("queued", "one", [1])
    assert (kept["lease_owner"], kept["lease_until"]) == ("", None)


def test_a_reply_is_tried_three_times_and_then_fails(alice: User) -> None:
    reply = a_reply(alice)
    for _ in range(MAX_ATTEMPTS):
        claim()
        expire(reply.pk)
        last = claims.return_expired()

    kept = row(reply.pk)
    assert last == (0, [reply.pk])
    assert (kept["state"], kept["error_code"]) == ("failed", "generation_failed")
    assert kept["attempt"] == MAX_ATTEMPTS == 3


def test_a_lost_reply_that_was_asked_to_stop_ends_stopped(alice: User) -> None:
    reply = a_reply(alice, **RUNNING, text="one two")
    claims.request_stop(reply.pk, seen_offset=None)
    expire(reply.pk)

    returned = claims.return_expired()

    kept = row(reply.pk)
    assert returned == (0, [reply.pk])
    assert (kept["state"], kept["finish_reason"]) == ("stopped", "stopped")


def test_a_stop_wins_over_the_last_attempt(alice: User) -> None:
    reply = a_reply(alice, **{**RUNNING, "attempt": MAX_ATTEMPTS}, is_cancel_requested=True)
    expire(reply.pk)

    assert claims.return_expired() == (0, [reply.pk])
    assert row(reply.pk)["state"] == "stopped"


def test_returning_twice_returns_once(alice: User) -> None:
    reply = a_reply(alice, **RUNNING)
    expire(reply.pk)

    assert [claims.return_expired(), claims.return_expired()] == [(1, []), (0, [])]


# Deadline -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", [pytest.param({}, id="waiting"), pytest.param(RUNNING, id="running")]
)
def test_every_accepted_turn_ends_by_its_deadline(alice: User, state: dict[str, Any]) -> None:
    reply = a_reply(alice, waiting_s=61, **state)

    ended = claims.fail_overdue(60)

    kept = row(reply.pk)
    assert ended == [reply.pk]
    assert (kept["state"], kept["error_code"]) == ("failed", "generation_failed")


def test_before_the_deadline_nothing_ends(alice: User) -> None:
    reply = a_reply(alice, waiting_s=59)

    assert claims.fail_overdue(60) == []
    assert row(reply.pk)["state"] == "queued"


@pytest.mark.parametrize("ended", ENDED)
def test_the_deadline_leaves_ended_replies_alone(alice: User, ended: dict[str, Any]) -> None:
    reply = a_reply(alice, waiting_s=61, **ended)
    before = row(reply.pk)

    assert claims.fail_overdue(60) == []
    assert row(reply.pk) == before
