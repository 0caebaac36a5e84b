"""The lease on a reply's row: who comes first, and what is written under it."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from chat.errors import ErrorCode
from chat.generation import claim as claims
from chat.generation.claim import LEASE_S, Outcome
from tests.chat.factories import RUNNING, a_reply
from tests.chat.generation.claiming import (
    OUTCOME,
    claim,
    claim_and_finish,
    expire,
    row,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper


# The fair order -------------------------------------------------------------------------------


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


# Claiming -------------------------------------------------------------------------------------


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


# Writing under a claim ------------------------------------------------------------------------


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
