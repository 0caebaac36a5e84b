"""Feedback on answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from chat.models import Feedback

if TYPE_CHECKING:
    from chat.models import Reply


def give(reply: Reply, value: Feedback.Value, comment: str = "") -> Feedback:
    """Keep what its person thinks of an answer, in the place of what they thought before."""
    judgement = {"value": value, "comment": comment.strip(), "given_at": timezone.now()}
    kept, _ = Feedback.objects.update_or_create(reply=reply, defaults=judgement)
    return kept


def withdraw(reply: Reply) -> None:
    """Forget what its person thought of an answer, if anything."""
    Feedback.objects.filter(reply=reply).delete()
