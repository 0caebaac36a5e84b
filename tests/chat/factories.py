"""What tests begin with: a picture, a turn, a reply in a certain state."""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.files.base import ContentFile
from django.utils import timezone

from chat.models import Image, Reply
from chat.services import presets, turns
from chat.turn_options import TurnOptions
from inference.testing import draw_png

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from chat.models import Preset
    from chat.models.reply import ReplyQuerySet
    from chat.services.turns import Turn

RUNNING: dict[str, Any] = {"state": Reply.State.RUNNING, "attempt": 1, "lease_owner": "somebody"}


def a_picture(owner: User, *, color: tuple[int, int, int] = (220, 40, 40), **fields: Any) -> Image:
    """Keep a picture of one colour."""
    data = draw_png(64, 64, color)
    picture = Image(
        owner=owner,
        sha256=hashlib.sha256(data).hexdigest(),
        width_px=64,
        height_px=64,
        size_bytes=len(data),
        content_type=Image.ContentType.PNG,
        **fields,
    )
    picture.file.save("", ContentFile(data), save=False)
    picture.thumbnail.save("", ContentFile(data), save=False)
    picture.save()
    return picture


def a_turn(user: User, text: str = "What is this?", **question: Any) -> Turn:
    """Ask a question; its reply waits."""
    return turns.start_turn(user, turns.Question(text=text, **question))


def a_reply(user: User, *, waiting_s: float = 0, **fields: Any) -> Reply:
    """Queue a reply in a new conversation, asked for `waiting_s` ago, then set these fields."""
    reply = a_turn(user).reply
    if fields.get("state") == Reply.State.RUNNING:
        fields.setdefault("lease_until", timezone.now() + timedelta(seconds=60))
    elif fields.get("state") in ("done", "stopped", "failed"):
        fields.setdefault("ended_at", timezone.now())
    queued_at = timezone.now() - timedelta(seconds=waiting_s)
    row_of(reply.pk).update(queued_at=queued_at, **fields)
    reply.refresh_from_db()
    return reply


def a_preset(owner: User, name: str = "Careful", **options: Any) -> Preset:
    """Keep a preset with these options."""
    return presets.save(owner, name=name, options=TurnOptions(**options))


def end_reply(reply: Reply, text: str, **fields: Any) -> None:
    """End a reply as if a model had answered with this text."""
    ended = {"state": "done", "finish_reason": "stop", "ended_at": timezone.now()}
    row_of(reply.pk).update(**{**ended, **fields}, text=text)
    reply.refresh_from_db()


def row_of(reply_id: uuid.UUID) -> ReplyQuerySet:
    """Select one reply's row, to change it past all rules."""
    return Reply.objects.filter(pk=reply_id)
