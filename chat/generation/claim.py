"""The lease on a reply's row: who may write it, in which order, and how it ends.

Nothing else changes a reply's `state`, `attempt` or lease. Every write of a worker is fenced: it
counts only while the row is running under the worker's own attempt. Leases are written and judged
by the database's clock, so those of the workers' machines may differ. When that one clock steps, a
lease ends early or late by as much; the fence holds all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Count, DateTimeField, ExpressionWrapper, F, OuterRef, Q, Subquery
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Left, Length, Now

from chat.errors import ErrorCode
from chat.models import Reply

if TYPE_CHECKING:
    import uuid

    from chat.models.reply import ReplyQuerySet

LEASE_S = 15.0
MAX_ATTEMPTS = 3
State = Reply.State

CONTINUABLE = (
    Reply.FinishReason.STOPPED,
    Reply.FinishReason.LENGTH,
    Reply.FinishReason.REPETITION,
)

# From where a reply may come to each state; whatever else stands in the row is left alone.
COMES_FROM: dict[str, tuple[str, ...]] = {
    State.QUEUED: (State.RUNNING,),
    State.RUNNING: (State.QUEUED,),
    State.DONE: (State.RUNNING,),
    State.STOPPED: (State.QUEUED, State.RUNNING),
    State.FAILED: (State.QUEUED, State.RUNNING),
}
# A stopped reply keeps what its reader had seen, or all of it when nobody said.
STOPPED_AS_SEEN: dict[str, Any] = {
    "finish_reason": Reply.FinishReason.STOPPED,
    "text": Left("text", Coalesce("cancel_seen_offset", Length("text"))),
    "token_ids": [],
}


class LeaseLostError(Exception):
    """The row is no longer running under this attempt: names what was expected and found."""

    def __init__(self, claim: Claim) -> None:
        """Look up what the row says now: 1 query."""
        found = Reply.objects.filter(pk=claim.reply_id).values_list("state", "attempt").first()
        super().__init__(
            f"reply {claim.reply_id}: expected running, attempt {claim.attempt}; "
            f"found {'no row' if found is None else f'{found[0]}, attempt {found[1]}'}"
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one reply, for as long as the lease is renewed."""

    reply: Reply
    attempt: int
    owner: str

    @property
    def reply_id(self) -> uuid.UUID:
        """The reply's id."""
        return self.reply.id

    def rows(self) -> ReplyQuerySet:
        """Select the row if it is still this claim's."""
        return Reply.objects.filter(pk=self.reply.pk, state=State.RUNNING, attempt=self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an answer ended."""

    text: str
    token_ids: list[int]
    finish_reason: str
    usage: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    is_demo: bool = False


def in_fair_order() -> ReplyQuerySet:
    """Order the waiting replies.

    First those that lost their worker. Then by how many replies of its person run now, or began
    since this one was asked for; so one person's burst costs another at most one reply a slot,
    even where one slot serves all. Then the longest waiting.
    """
    others = Reply.objects.filter(
        message__conversation__owner=OuterRef("message__conversation__owner")
    ).exclude(pk=OuterRef("pk"))
    served = (
        others.filter(Q(state=State.RUNNING) | Q(started_at__gte=OuterRef("queued_at")))
        .order_by()
        .values("message__conversation__owner")
        .annotate(served=Count("pk"))
        .values("served")
    )
    return (
        Reply.objects.filter(state=State.QUEUED)
        .annotate(owner_served=Coalesce(Subquery(served), 0))
        .annotate(tries=F("attempt") - F("attempts_before"))
        .order_by("-tries", "owner_served", "queued_at", "pk")
    )


def claim_next(owner: str) -> Claim | None:
    """Claim the best waiting reply for this worker, or None when nothing waits: 3 queries."""
    can_skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        waiting = in_fair_order()
        if can_skip:
            waiting = waiting.select_for_update(skip_locked=True, of=("self",))
        reply = waiting.first()
        if reply is None:
            return None
        reply.attempt += 1
        taken = _move(
            Reply.objects.filter(pk=reply.pk),
            State.RUNNING,
            attempt=reply.attempt,
            lease_owner=owner,
            lease_until=_in(LEASE_S),
            started_at=Coalesce(F("started_at"), Now()),
        )
    if not taken:
        return None
    reply = Reply.objects.select_related("message__conversation").get(pk=reply.pk)
    return Claim(reply, reply.attempt, owner)


def renew(claim: Claim) -> bool:
    """Extend the lease; returns whether a stop was asked for: 2 queries.

    Raises:
        LeaseLostError: the row is no longer this claim's.
    """
    if not claim.rows().update(lease_until=_in(LEASE_S)):
        raise LeaseLostError(claim)
    return claim.rows().filter(is_cancel_requested=True).exists()


def to_be_stopped(reply_ids: list[uuid.UUID]) -> list[uuid.UUID]:
    """Give those that somebody asked to stop, or whose conversation was deleted: 1 query."""
    going_on = Reply.objects.filter(pk__in=reply_ids, is_cancel_requested=False)
    return list(set(reply_ids) - set(going_on.values_list("pk", flat=True)))


def checkpoint(claim: Claim, *, text: str, token_ids: list[int]) -> None:
    """Keep the text and its accepted tokens, so that another worker can go on: 1 query.

    Raises:
        LeaseLostError: the row is no longer this claim's.
    """
    kept = {"text": text, "token_ids": token_ids, "lease_until": _in(LEASE_S)}
    if not claim.rows().update(**kept):
        raise LeaseLostError(claim)


def finish(claim: Claim, outcome: Outcome) -> None:
    """Write the end of an answer; a stopped one keeps the text that its reader had seen.

    Raises:
        LeaseLostError: the row is no longer this claim's.
    """
    is_stopped = outcome.finish_reason == Reply.FinishReason.STOPPED
    text = outcome.text
    if is_stopped:
        seen = claim.rows().values_list("cancel_seen_offset", flat=True).first()
        text = text if seen is None else text[:seen]
    ended = _end(
        claim.rows(),
        State.STOPPED if is_stopped else State.DONE,
        text=text,
        # Of a text that was cut nobody knows which tokens it is.
        token_ids=outcome.token_ids if text == outcome.text else [],
        finish_reason=outcome.finish_reason,
        usage=outcome.usage,
        timings=outcome.timings,
        model=outcome.model,
        is_demo=outcome.is_demo,
    )
    if not ended:
        raise LeaseLostError(claim)


def fail(claim: Claim, code: ErrorCode, *, text: str) -> None:
    """End the reply with an error, keeping the text so far.

    Raises:
        LeaseLostError: the row is no longer this claim's.
    """
    if not _end(claim.rows(), State.FAILED, error_code=code.value, text=text):
        raise LeaseLostError(claim)


def give_back(claim: Claim) -> None:
    """Return the reply to the queue, for another worker; nothing when it is no longer ours."""
    _move(claim.rows(), State.QUEUED)


def request_stop(reply_id: uuid.UUID, *, seen_offset: int | None) -> bool:
    """Ask for a reply's end; returns whether it ended at once, because it was still queued.

    The reply keeps its text up to `seen_offset`. An ended one stays as it is. 2 queries.
    """
    rows = Reply.objects.filter(pk=reply_id)
    rows.open().filter(is_cancel_requested=False).update(
        is_cancel_requested=True, cancel_seen_offset=seen_offset
    )
    return bool(_end(rows.filter(state=State.QUEUED), State.STOPPED, **STOPPED_AS_SEEN))


def reopen(reply: Reply, options: dict[str, Any]) -> bool:
    """Put an ended answer back into the queue, to be gone on with under these options: 1 query.

    Returns whether it had ended in a way that leaves something to say.
    """
    rows = Reply.objects.filter(pk=reply.pk, finish_reason__in=CONTINUABLE)
    return bool(
        rows.update(
            state=State.QUEUED,
            options=options,
            attempts_before=F("attempt"),
            finish_reason="",
            is_cancel_requested=False,
            cancel_seen_offset=None,
            queued_at=Now(),
            started_at=None,
            ended_at=None,
        )
    )


def return_expired() -> tuple[int, list[uuid.UUID]]:
    """Return replies with lost workers to the queue; those out of attempts end as failed.

    Returns:
        How many went back to the queue, and the ids of those that ended.
    """
    lost = Reply.objects.filter(state=State.RUNNING, lease_until__lt=Now())
    ended = _end_each(lost.filter(is_cancel_requested=True), State.STOPPED, **STOPPED_AS_SEEN)
    ended += _end_each(
        lost.filter(attempt__gte=F("attempts_before") + MAX_ATTEMPTS),
        State.FAILED,
        error_code=ErrorCode.GENERATION_FAILED.value,
    )
    return _move(lost, State.QUEUED), ended


def fail_overdue(deadline_s: float) -> list[uuid.UUID]:
    """End every reply that was asked for longer ago than the deadline; returns their ids."""
    overdue = Reply.objects.open().filter(queued_at__lt=_in(-deadline_s))
    return _end_each(overdue, State.FAILED, error_code=ErrorCode.GENERATION_FAILED.value)


def _in(seconds: float) -> ExpressionWrapper[CombinedExpression]:
    """Give a moment from now, by the database's clock."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def _move(rows: ReplyQuerySet, state: str, **fields: Any) -> int:
    """Move those rows that may go to this state; only a running one holds a lease."""
    no_lease = {} if state == State.RUNNING else {"lease_owner": "", "lease_until": None}
    movable = rows.filter(state__in=COMES_FROM[state])
    return movable.update(state=state, **no_lease, **fields)


def _end(rows: ReplyQuerySet, state: str, **fields: Any) -> int:
    return _move(rows, state, ended_at=Now(), **fields)


def _end_each(rows: ReplyQuerySet, state: str, **fields: Any) -> list[uuid.UUID]:
    """End rows one by one, so that the ids returned are exactly those that this call ended."""
    return [
        reply_id
        for reply_id in list(rows.values_list("pk", flat=True))
        if _end(rows.filter(pk=reply_id), state, **fields)
    ]
