"""What generation does about what services tell: doorbell, news, and the end of what is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chat import signals
from chat.generation import claim as claims
from chat.generation import local, news
from chat.generation.reply_log import reply_log

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from chat.models import Conversation


def listen_to_services() -> None:
    """Connect the doorbell and the news to what services tell; once, when Django is set up."""
    signals.turn_started.connect(_on_turn_started)
    signals.conversation_changed.connect(_on_conversation_changed)
    signals.conversation_deleted.connect(_on_conversation_deleted)
    signals.message_deleted.connect(_on_message_deleted)


def _on_turn_started(
    *, conversation: Conversation, message_id: uuid.UUID, reply_id: uuid.UUID, **_: Any
) -> None:
    news.conversation_changed(conversation, message=message_id, reply=reply_id)
    news.queue_moved(slots=local.answerer().slots, limit=news.NEAR_REPLIES)
    local.answerer().ring()


def _on_conversation_changed(*, conversation: Conversation, **_: Any) -> None:
    news.conversation_changed(conversation)


def _on_conversation_deleted(
    *,
    owner_id: int,
    conversation_id: uuid.UUID,
    open_reply_ids: list[uuid.UUID],
    gone_reply_ids: Sequence[uuid.UUID] = (),
    **_: Any,
) -> None:
    reply_log.forget(gone_reply_ids)
    news.conversation_deleted(owner_id=owner_id, conversation_id=conversation_id)
    _end(open_reply_ids)


def _on_message_deleted(
    *,
    conversation: Conversation,
    message_id: uuid.UUID,
    open_reply_ids: list[uuid.UUID],
    gone_reply_ids: list[uuid.UUID],
    **_: Any,
) -> None:
    reply_log.forget(gone_reply_ids)
    news.message_deleted(conversation, message_id)
    _end(open_reply_ids)


def _end(open_reply_ids: list[uuid.UUID]) -> None:
    for reply_id in open_reply_ids:
        if not claims.request_stop(reply_id, seen_offset=None):
            local.answerer().cancel(reply_id)
        news.reply_ended(reply_id)
