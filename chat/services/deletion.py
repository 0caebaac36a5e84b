"""Deleting: a conversation, which can be brought back for a while, and messages, which cannot."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from chat import access
from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Message, Reply
from chat.services import conversations
from chat.services.message_tree import MessageTree
from chat.signals import (
    conversation_changed,
    conversation_deleted,
    message_deleted,
    send_after_commit,
)

if TYPE_CHECKING:
    import uuid

    from django.db.models import QuerySet

    from chat.models.image import Owner

PURGE_AT_ONCE = 100  # of a person's thousands; the next look takes the rest


def discard(conversation: Conversation) -> None:
    """Take the conversation out of sight; a reply still being written is stopped. 2 queries."""
    with transaction.atomic():
        replies = Reply.objects.open().filter(message__conversation=conversation)
        open_ids = list(replies.values_list("pk", flat=True))
        conversation.deleted_at = timezone.now()
        conversation.save(update_fields=["deleted_at"])
        send_after_commit(
            conversation_deleted,
            owner_id=conversation.owner_id,
            conversation_id=conversation.pk,
            open_reply_ids=open_ids,
        )


def restore(user: Owner, conversation_id: uuid.UUID) -> Conversation:
    """Bring back what this person discarded; what is there anyway stays as it is. 2 queries.

    Raises:
        ChatError: conversation_not_found, also when it is gone for good.
    """
    conversation = access.deleted_conversation_for(user, conversation_id)
    if conversation.deleted_at is not None:
        conversation.deleted_at = None
        # Not where it was purged since the look: then there is no row to change.
        if not Conversation.objects.filter(pk=conversation.pk).update(deleted_at=None):
            raise ChatError(ErrorCode.CONVERSATION_NOT_FOUND)
        send_after_commit(conversation_changed, conversation=conversation)
    return conversation


def delete_message(message: Message) -> Conversation | None:
    """Delete a question, or one version of an answer, for good, with all that hangs on it.

    An answer without other versions goes with its question. Of a conversation's only question the
    conversation is discarded instead: then this gives None. Replies still being written are
    stopped. Where the shown branch is cut off, it goes on to the newest end of what is left.
    About 10 queries.

    Raises:
        ChatError: message_not_found, when it has gone meanwhile.
    """
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().get(pk=message.conversation_id)
        tree = MessageTree.of(conversation)
        if message.pk not in tree:
            raise ChatError(ErrorCode.MESSAGE_NOT_FOUND)
        first = message
        if message.role == Message.Role.ASSISTANT and len(tree.siblings_of(message.pk)) == 1:
            first = conversation.messages.get(children=message)
        others = [each for each in tree.siblings_of(first.pk) if each != first.pk]
        if first.parent_id is None and not others:
            discard(conversation)
            return None
        gone = tree.from_here_on(first.pk)
        _delete(gone, conversation, goes_on_at=first.parent_id or others[-1])
    return conversation


def _delete(gone: list[uuid.UUID], conversation: Conversation, *, goes_on_at: uuid.UUID) -> None:
    first_id = gone[0]  # the others hang on it
    replies = Reply.objects.filter(message_id__in=gone)
    send_after_commit(
        message_deleted,
        conversation=conversation,
        message_id=first_id,
        open_reply_ids=list(replies.open().values_list("pk", flat=True)),
        gone_reply_ids=list(replies.values_list("pk", flat=True)),
    )
    is_cut_off = conversation.leaf_id in gone
    Message.objects.filter(pk=first_id).delete()
    if is_cut_off:
        conversations.show(conversation, conversation.messages.get(pk=goes_on_at))


def purge(undo_s: float) -> int:
    """Delete for good what was discarded longer ago than this; returns how many. 1 query, mostly.

    Several processes may do so at the same time.
    """
    before = timezone.now() - timedelta(seconds=undo_s)
    overdue = Conversation.objects.filter(deleted_at__lt=before)
    ids = list(overdue.values_list("pk", flat=True)[:PURGE_AT_ONCE])
    return sum(_purge(overdue.filter(pk=conversation_id)) for conversation_id in ids)


def _purge(overdue: QuerySet[Conversation]) -> bool:
    with transaction.atomic():
        # Locked and looked at again: it may have been brought back since.
        conversation = overdue.select_for_update(skip_locked=_can_skip_locked()).first()
        if conversation is not None:
            conversations.delete(conversation)
        return conversation is not None


def _can_skip_locked() -> bool:
    return connection.features.has_select_for_update_skip_locked
