"""The lease on a reply's row: fair order, fencing, expiry, attempts, stop, deadline."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from chat.errors import ErrorCode
from chat.generation import claim as claims
from chat.generation.claim import LEASE_S, MAX_ATTEMPTS, LeaseLostError, Outcome
from chat.models import Reply
from tests.chat.factories import RUNNING, a_reply, row_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

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


# The fair order -----------------------------------------------------------------------------


def test_the_longest_waiting_reply_comes_first(alice: User, bob: User) -> None:
    late = a_reply(alice, waiting_s=1)
    early = a_reply(bob, waiting_s=9)

    assert [claim().reply_id, claim().reply_id] == [early.pk, late.pk]


def test_who_has_nothing_running_comes_before_who_waits_longer(alice: User, bob: User) -> None:
    a_reply(alice, **RUNNING)
    hers = a_reply(alice, waiting_s=100)
    his = a_reply(bob, waiting_s=1)

    assert [claim().reply_id, claim().reply_id] == [his.pk, hers.pk]


def test_one_persons_burst_does_not_keep_others_waiting(alice: User, bob: User) -> None:
    burst = [a_reply(alice, waiting_s=50 - index) for index in range(3)]
    his = a_reply(bob, waiting_s=1)

    order = [claim().reply_id for _ in range(4)]

    assert order == [burst[0].pk, his.pk, burst[1].pk, burst[2].pk]


def test_a_single_slot_serves_a_burst_and_others_by_turns(
    alice: User, bob: User, settings: SettingsWrapper
) -> None:
    """With nothing running at the moment of a claim, the burst's owner once came first again."""
    settings.VL_PERSON_OPEN_REPLIES = 0
    burst = [a_reply(alice, waiting_s=100 - index).pk for index in range(50)]
    order = [claim_and_finish()]
    his = [a_reply(bob, waiting_s=2).pk, a_reply(bob, waiting_s=1).pk]

    order += [claim_and_finish() for _ in range(4)]

    assert order == [burst[0], his[0], burst[1], his[1], burst[2]]


def test_a_reply_that_lost_its_worker_comes_first(alice: User, bob: User) -> None:
    a_reply(bob, waiting_s=100)
    a_reply(alice, **RUNNING)
    lost = a_reply(alice, waiting_s=1, attempt=1)

    assert claim().reply_id == lost.pk


def test_ended_replies_do_not_count_against_a_person(alice: User, bob: User) -> None:
    a_reply(alice, state="done", finish_reason="stop")
    hers = a_reply(alice, waiting_s=9)
    a_reply(bob, waiting_s=1)

    assert claim().reply_id == hers.pk


def test_only_waiting_replies_have_a_place(alice: User) -> None:
    a_reply(alice, **RUNNING)
    a_reply(alice, state="done", finish_reason="stop")
    waiting = a_reply(alice)

    assert list(claims.in_fair_order()) == [waiting]


# Claiming -----------------------------------------------------------------------------------


def test_nothing_waiting_means_no_claim(alice: User) -> None:
    a_reply(alice, **RUNNING)

    assert claims.claim_next("worker") is None


def test_a_claim_leases_the_row_to_its_worker(alice: User) -> None:
    reply = a_reply(alice)
    before = timezone.now()

    claimed = claim("worker 7")

    reply.refresh_from_db()
    assert reply.lease_until is not None
    lease_s = (reply.lease_until - before).total_seconds()
    assert LEASE_S <= lease_s < LEASE_S + 5
    assert (reply.state, reply.attempt, reply.lease_owner) == ("running", 1, "worker 7")
    assert (claimed.attempt, claimed.reply) == (1, reply)


def test_the_start_is_the_first_attempts(alice: User) -> None:
    reply = a_reply(alice)
    claims.give_back(claim())
    first = row(reply.pk)["started_at"]

    claim()

    assert first is not None
    assert row(reply.pk)["started_at"] == first


@pytest.mark.django_db(transaction=True)
def test_many_claimers_never_get_the_same_reply(alice: User, bob: User) -> None:
    waiting = {a_reply(person).pk for person in (alice, bob) for _ in range(6)}
    claimed: list[uuid.UUID] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait(10)
        try:
            while (found := claims.claim_next(threading.current_thread().name)) is not None:
                claimed.append(found.reply_id)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(claimed) == len(waiting)
    assert set(claimed) == waiting


# Writing under a claim ----------------------------------------------------------------------


def test_renewing_extends_the_lease(alice: User) -> None:
    a_reply(alice)
    claimed = claim()
    expire(claimed.reply_id)

    is_stop_requested = claims.renew(claimed)

    assert not is_stop_requested
    assert row(claimed.reply_id)["lease_until"] > timezone.now()


def test_renewing_tells_that_a_stop_was_asked_for(alice: User) -> None:
    a_reply(alice)
    claimed = claim()

    claims.request_stop(claimed.reply_id, seen_offset=None)

    assert claims.renew(claimed)


def test_a_checkpoint_keeps_text_and_tokens_and_extends_the_lease(alice: User) -> None:
    a_reply(alice)
    claimed = claim()
    expire(claimed.reply_id)

    claims.checkpoint(claimed, text="one two", token_ids=[1, 2])

    kept = row(claimed.reply_id)
    assert (kept["text"], kept["token_ids"], kept["state"]) == ("one two", [1, 2], "running")
    assert kept["lease_until"] > timezone.now()


@pytest.mark.parametrize("reason", ["stop", "length", "repetition"])
def test_finishing_writes_the_whole_outcome(alice: User, reason: str) -> None:
    a_reply(alice)
    claimed = claim()
    fields = {name: getattr(OUTCOME, name) for name in Outcome.__slots__}

    claims.finish(claimed, Outcome(**{**fields, "finish_reason": reason}))

    kept = row(claimed.reply_id)
    assert {name: kept[name] for name in fields} == {**fields, "finish_reason": reason}
    assert (kept["state"], kept["lease_owner"], kept["lease_until"]) == ("done", "", None)
    assert kept["ended_at"] is not None


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        pytest.param(None, "one two three", id="everything"),
        pytest.param(4, "one ", id="what was seen"),
        pytest.param(0, "", id="nothing was seen"),
        pytest.param(99, "one two three", id="more than there is"),
    ],
)
def test_a_stopped_reply_keeps_the_text_that_was_seen(
    alice: User, seen: int | None, text: str
) -> None:
    a_reply(alice)
    claimed = claim()
    claims.request_stop(claimed.reply_id, seen_offset=seen)

    claims.finish(claimed, Outcome(text="one two three", token_ids=[1], finish_reason="stopped"))

    kept = row(claimed.reply_id)
    assert (kept["state"], kept["text"]) == ("stopped", text)


def test_a_reply_that_ends_by_itself_just_before_the_stop_keeps_all_of_its_text(
    alice: User,
) -> None:
    a_reply(alice)
    claimed = claim()
    claims.request_stop(claimed.reply_id, seen_offset=4)

    claims.finish(claimed, OUTCOME)

    kept = row(claimed.reply_id)
    assert (kept["state"], kept["text"]) == ("done", "one two three")


def test_failing_keeps_the_text_so_far(alice: User) -> None:
    a_reply(alice)
    claimed = claim()

    claims.fail(claimed, ErrorCode.OUT_OF_MEMORY, text="one")

    kept = row(claimed.reply_id)
    assert (kept["state"], kept["error_code"], kept["text"]) == ("failed", "out_of_memory", "one")


def test_giving_back_lets_another_worker_go_on(alice: User) -> None:
    a_reply(alice)
    first = claim("first")
    claims.checkpoint(first, text="one", token_ids=[1])

    claims.give_back(first)
    second = claim("second")

    assert (second.reply_id, second.attempt) == (first.reply_id, 2)
    assert (second.reply.text, second.reply.token_ids) == ("one", [1])


# Fencing ------------------------------------------------------------------------------------

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


# Stop ---------------------------------------------------------------------------------------


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


# Lost workers -------------------------------------------------------------------------------


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


# Deadline -----------------------------------------------------------------------------------


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


# Every move ---------------------------------------------------------------------------------


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
