"""Conversations as people keep them: list, branch, rename, pin, archive, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.paginator import Paginator
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Message, Reply
from chat.models.conversation import TITLE_MAX_CHARS
from chat.services.message_tree import MessageTree
from chat.signals import conversation_changed, send_after_commit

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable

    from django.core.paginator import Page

    from chat.models.image import Owner

PAGE_SIZE = 50
TITLE_FROM_QUESTION_CHARS = 60


def page(
    user: Owner, *, query: str = "", number: int = 1, is_archived: bool = False
) -> Page[Conversation]:
    """Give one page of a person's conversations, in the archive or not: 2 queries.

    A search looks in both. What it finds says as `hit_id` which message has the text, if any.
    """
    query = query.strip()
    conversations = Conversation.objects.visible_to(user)
    if query:
        hits = Message.objects.containing(query).filter(conversation=OuterRef("pk"))
        conversations = conversations.matching(query).annotate(
            hit_id=Subquery(hits.values("pk")[:1])
        )
    else:
        conversations = conversations.filter(archived_at__isnull=not is_archived)
    return Paginator(conversations.with_is_generating().newest_first(), PAGE_SIZE).get_page(number)


def messages_by_id(message_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Message]:
    """Load messages with their replies: 1 query, none for no ids."""
    return Message.objects.select_related("reply").in_bulk(set(message_ids))


def shown_branch(conversation: Conversation) -> list[Message]:
    """Give the messages from the first question to the conversation's leaf: 2 queries."""
    return branch_to(conversation, leaf_id=conversation.leaf_id)


def show(conversation: Conversation, message: Message) -> None:
    """Let the shown branch go through a message, to the newest end behind it: 2 queries."""
    conversation.leaf_id = MessageTree.of(conversation).newest_end_behind(message.pk)
    conversation.save(update_fields=["leaf"])


def branch_to(conversation: Conversation, *, leaf_id: uuid.UUID | None) -> list[Message]:
    """Give the messages from the first question to this one, oldest first: 2 queries."""
    by_id: dict[uuid.UUID | None, Message]
    by_id = {message.pk: message for message in conversation.messages.all().for_transcript()}
    branch = []
    message = by_id.get(leaf_id)
    while message is not None:
        branch.append(message)
        message = by_id.get(message.parent_id)
    return branch[::-1]


def title_from(question: str) -> str:
    """Make a title of a question's first line, cut at a word where there is one."""
    line = " ".join(question.strip().splitlines()[0].split()) if question.strip() else ""
    if len(line) <= TITLE_FROM_QUESTION_CHARS:
        return line
    cut = line[:TITLE_FROM_QUESTION_CHARS]
    head = cut.rpartition(" ")[0]
    return (head if len(head) > TITLE_FROM_QUESTION_CHARS // 2 else cut) + "…"


def rename(conversation: Conversation, title: str) -> Conversation:
    """Give the conversation another title.

    Raises:
        ChatError: empty_text or text_too_long.
    """
    title = " ".join(title.split())
    if not title:
        raise ChatError(ErrorCode.EMPTY_TEXT)
    if len(title) > TITLE_MAX_CHARS:
        raise ChatError(ErrorCode.TEXT_TOO_LONG, limit=TITLE_MAX_CHARS)
    conversation.title = title
    return _save(conversation, "title")


def set_pinned(conversation: Conversation, *, is_pinned: bool) -> Conversation:
    """Keep the conversation at the top of the list, or no longer."""
    conversation.pinned_at = timezone.now() if is_pinned else None
    return _save(conversation, "pinned_at")


def set_archived(conversation: Conversation, *, is_archived: bool) -> Conversation:
    """Take the conversation out of the list without losing it, or bring it back."""
    conversation.archived_at = timezone.now() if is_archived else None
    return _save(conversation, "archived_at")


def mark_unread(message_id: uuid.UUID) -> None:
    """Note that the answer in this place has ended, unless it was stopped or goes on: 1 query."""
    ended = (Reply.State.DONE, Reply.State.FAILED)
    answered = Conversation.objects.filter(
        messages__pk=message_id, messages__reply__state__in=ended
    )
    Conversation.objects.filter(pk__in=answered.values("pk")).update(is_unread=True)


def set_unread(conversation: Conversation, *, is_unread: bool) -> Conversation:
    """Mark the conversation for its person, or note that it was looked at."""
    if conversation.is_unread == is_unread:
        return conversation
    conversation.is_unread = is_unread
    return _save(conversation, "is_unread")


def delete(conversation: Conversation) -> None:
    """Delete the conversation for good, with its messages; a reply being written is stopped."""
    conversation.delete()  # what else must go: `services.cascade`


def _save(conversation: Conversation, field: str) -> Conversation:
    conversation.save(update_fields=[field])
    send_after_commit(conversation_changed, conversation=conversation)
    return conversation
