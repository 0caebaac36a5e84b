"""What a waiting person is told: the place in the queue, and for how long it will be about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chat.generation.claim import in_fair_order
from chat.models import Reply

if TYPE_CHECKING:
    import uuid

RECENT_REPLIES = 20


def waiting_statuses(*, slots: int, limit: int | None = None) -> dict[uuid.UUID, dict[str, Any]]:
    """Give the `queued` status of the first `limit` waiting replies, in order: 1 or 2 queries.

    `eta_s` is there once replies have been answered: so many turns, each as long as recent ones.
    """
    waiting = list(in_fair_order().values_list("pk", flat=True)[:limit])
    answer_s = _recent_answer_s() if waiting and slots else None
    return {
        reply_id: {"stage": "queued", "position": position}
        | ({} if answer_s is None else {"eta_s": round(answer_s * position / slots, 1)})
        for position, reply_id in enumerate(waiting, start=1)
    }


def _recent_answer_s() -> float | None:
    """Average how long the recent replies were written, None before there is one."""
    recent = Reply.objects.filter(state=Reply.State.DONE).order_by("-queued_at")
    moments = recent.values_list("started_at", "ended_at")[:RECENT_REPLIES]
    seconds = [(ended - began).total_seconds() for began, ended in moments if began and ended]
    return sum(seconds) / len(seconds) if seconds else None
