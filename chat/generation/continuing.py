"""Going on with an answer that was stopped, or ran into a limit: the same reply, queued again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from chat import access
from chat.errors import ChatError, ErrorCode
from chat.generation import claim as claims
from chat.models import Reply
from chat.protocol import AcceptedFrame
from chat.services import turns
from chat.signals import send_after_commit, turn_started

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from chat.protocol import ContinueFrame


def continue_reply(user: User, frame: ContinueFrame) -> AcceptedFrame:
    """Queue an ended reply again; it keeps its text, and its tokens where the text was not cut.

    Raises:
        ChatError: message_not_found, already_running, queue_full, quota_exceeded, or bad_frame
            for a reply that said all that it had to say.
    """
    with transaction.atomic():
        reply = access.reply_for(user, frame.reply)
        conversation = turns.lock(reply.message.conversation)
        turns.admit(user)
        if not claims.reopen(reply, _options(reply)):
            raise ChatError(ErrorCode.BAD_FRAME, detail="this reply has come to its end")
        message = reply.message
        send_after_commit(
            turn_started,
            conversation=conversation,
            message_id=message.parent_id,
            reply_id=reply.pk,
        )
    return AcceptedFrame(
        id=None,
        conversation=conversation.pk,
        message=message.parent_id or message.pk,
        reply=reply.pk,
        title=conversation.title,
    )


def _options(reply: Reply) -> dict[str, Any]:
    """Allow as many tokens again; one that repeated itself is let do so, since it was asked for."""
    written = reply.usage.get("completion_tokens") or len(reply.token_ids) or len(reply.text)
    options = {**reply.options, "max_tokens": written + settings.VL_MAX_TOKENS}
    if reply.finish_reason == Reply.FinishReason.REPETITION:
        options["is_unguarded"] = True
    return options
