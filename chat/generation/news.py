"""What happens to replies and conversations, told to the sockets that care.

Every function may be called from any thread and returns at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chat.generation.relay import EVERYONE, relay, reply_group, user_group
from chat.generation.waiting import waiting_statuses
from chat.models import Conversation, Reply
from chat.protocol import ConversationFrame
from chat.services import conversations

if TYPE_CHECKING:
    import uuid

QUEUE_NEWS_REPLIES = 200  # a longer queue's tail reads its place when it asks
# When one joins, perhaps in front of others: each of many who ask at once would else cost as many
# messages as there are waiting. Those further back hear of it when the queue moves on.
NEAR_REPLIES = 20


def text_added(reply_id: uuid.UUID, *, offset: int, text: str) -> None:
    """Tell the reply's followers about new text."""
    event = {"type": "reply.text", "reply": str(reply_id), "offset": offset, "content": text}
    relay.send(reply_group(reply_id), event)


def stage_changed(reply_id: uuid.UUID, status: dict[str, Any]) -> None:
    """Tell the reply's followers which stage it is in."""
    event = {"type": "reply.status", "reply": str(reply_id), "status": status}
    relay.send(reply_group(reply_id), event)


def reply_ended(reply_id: uuid.UUID) -> None:
    """Tell the followers to read the end, and the person's tabs that it is no longer written."""
    relay.send(reply_group(reply_id), {"type": "reply.ended", "reply": str(reply_id)})
    conversations.mark_unread(reply_id)
    shown = Conversation.objects.filter(deleted_at__isnull=True)
    conversation = shown.filter(messages=reply_id).first()
    if conversation is not None:
        conversation_changed(conversation)


def queue_moved(*, slots: int, limit: int = QUEUE_NEWS_REPLIES) -> None:
    """Tell the followers of the first waiting replies their new places: 1 or 2 queries.

    `slots` is how many replies are answered at once.
    """
    statuses = waiting_statuses(slots=slots, limit=limit)
    for reply_id, status in statuses.items():
        stage_changed(reply_id, status)


def conversation_changed(conversation: Conversation, **newest_turn: uuid.UUID) -> None:
    """Send the conversation's card to its owner's tabs: 1 query."""
    _send_card(conversation.owner_id, conversation_card(conversation, **newest_turn))


def conversation_card(
    conversation: Conversation,
    *,
    message: uuid.UUID | None = None,
    reply: uuid.UUID | None = None,
) -> ConversationFrame:
    """Build the card, with the ids of the newest turn when given: 1 query."""
    return ConversationFrame(
        conversation=conversation.pk,
        title=conversation.title,
        active_at=conversation.active_at.isoformat(),
        is_generating=Reply.objects.open().filter(message__conversation=conversation).exists(),
        is_unread=conversation.is_unread,
        options=conversation.options,
        is_pinned=conversation.pinned_at is not None,
        is_archived=conversation.archived_at is not None,
        message=message,
        reply=reply,
    )


def current_card(conversation: Conversation) -> ConversationFrame:
    """Build the card with the ids of the shown branch's last turn: 2 queries."""
    leaf = conversation.leaf
    if leaf is None:
        return conversation_card(conversation)
    return conversation_card(conversation, message=leaf.parent_id, reply=leaf.pk)


def conversation_deleted(*, owner_id: int, conversation_id: uuid.UUID) -> None:
    """Tell the owner's tabs that the conversation is gone."""
    card = ConversationFrame(
        conversation=conversation_id,
        title="",
        active_at="",
        is_generating=False,
        is_deleted=True,
    )
    _send_card(owner_id, card)


def message_deleted(conversation: Conversation, message_id: uuid.UUID) -> None:
    """Tell the owner's tabs that a message is gone, with all that hung on it: 2 queries."""
    card = replace(current_card(conversation), deleted_message=message_id)
    _send_card(conversation.owner_id, card)


def model_changed() -> None:
    """Tell every socket to send its `info` again."""
    relay.send(EVERYONE, {"type": "model.changed"})


def _send_card(owner_id: int, card: ConversationFrame) -> None:
    relay.send(user_group(owner_id), {"type": "conversation.card", "frame": card.encode()})
