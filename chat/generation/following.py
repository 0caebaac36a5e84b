"""What a follower of a reply still has to see: read from the log, else from the row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from chat import access
from chat.errors import ChatError, ErrorCode
from chat.generation import local
from chat.generation.reply_log import reply_log
from chat.generation.waiting import waiting_statuses
from chat.models import Reply
from chat.protocol import ErrorFrame, FinalFrame
from chat.rendering import render
from inference.service import Phase

if TYPE_CHECKING:
    import uuid

    from chat.models.image import Owner


@dataclass(frozen=True, slots=True)
class View:
    """Text from the follower's offset on, the stage, and the terminal frame once it has ended."""

    text: str = ""
    status: dict[str, Any] | None = None
    terminal: FinalFrame | ErrorFrame | None = None


def view(user: Owner, reply_id: uuid.UUID, offset: int, *, with_status: bool = True) -> View:
    """Read what comes after the offset (code points); 0 queries while it is written here.

    Call it only for a reply whose access was checked when the following began. `with_status` costs
    2 queries over all that wait, for one of them: nothing for a look that comes every second.

    Raises:
        ChatError: message_not_found, when the row has gone meanwhile.
    """
    logged = reply_log.read(reply_id, offset)
    if logged is not None and not logged.is_ended:
        return View(logged.text, logged.status)
    reply = access.reply_for(user, reply_id)
    if not reply.is_open:
        return View(reply.text[offset:], terminal=terminal_frame(reply))
    return View(reply.text[offset:], _waiting_status(reply) if with_status else None)


def written_text(reply: Reply, offset: int) -> str:
    """Give the text of a reply from an offset on, as far as this process knows it; 0 queries."""
    logged = reply_log.read(reply.pk, offset)
    if logged is not None and not logged.is_ended:
        return logged.text
    return reply.text[offset:]


def open_reply_ids(conversation_id: uuid.UUID) -> list[uuid.UUID]:
    """Give the replies of a conversation that have no terminal event yet: 1 query."""
    replies = Reply.objects.open().filter(message__conversation=conversation_id)
    return list(replies.order_by("queued_at").values_list("pk", flat=True))


def terminal_frame(reply: Reply) -> FinalFrame | ErrorFrame:
    """Build the frame that ends a reply, from its row alone."""
    if reply.state == Reply.State.FAILED:
        code = ErrorCode(reply.error_code)
        error = ChatError(code, limit=_("the model can take"))
        return ErrorFrame(code=code, content=error.content, reply=reply.pk)
    return FinalFrame(
        reply=reply.pk,
        conversation=reply.message.conversation_id,
        content=reply.text,
        html=render(reply.text),
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        timings=reply.timings,
        model=reply.model,
        demo=reply.is_demo,
        sha256=hashlib.sha256(reply.text.encode()).hexdigest(),
    )


def _waiting_status(reply: Reply) -> dict[str, Any] | None:
    """Give the stage of a reply that no thread of this process writes."""
    if reply.state != Reply.State.QUEUED:
        return None
    answerer = local.answerer()
    state = answerer.state
    if state.phase in (Phase.DOWNLOADING, Phase.LOADING, Phase.WARMING):
        return {"stage": "loading", "done": state.done, "total": state.total}
    return waiting_statuses(slots=answerer.slots).get(reply.pk)
