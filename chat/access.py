"""The only way from an id in a request to an object: one function an object.

Each checks on every call that the object is this person's. Somebody else's object is, to the
letter, a missing one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model

from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Document, DocumentRun, Image, Message, Preset, Reply

if TYPE_CHECKING:
    import uuid

    from django.db.models import QuerySet

    from chat.models.image import Owner

REVIEW_IMAGES = "chat.view_image"
M = TypeVar("M", bound=Model)


def conversation_for(user: Owner, conversation_id: uuid.UUID) -> Conversation:
    """Find a conversation that this person owns: 1 query.

    Raises:
        ChatError: conversation_not_found.
    """
    return _one(
        Conversation.objects.visible_to(user), conversation_id, ErrorCode.CONVERSATION_NOT_FOUND
    )


def deleted_conversation_for(user: Owner, conversation_id: uuid.UUID) -> Conversation:
    """Find a conversation that this person owns, also one that can only be brought back: 1 query.

    Raises:
        ChatError: conversation_not_found.
    """
    owned = Conversation.objects.filter(owner_id=user.pk)
    return _one(owned, conversation_id, ErrorCode.CONVERSATION_NOT_FOUND)


def message_for(user: Owner, message_id: uuid.UUID) -> Message:
    """Find a message in a conversation that this person owns: 1 query.

    Raises:
        ChatError: message_not_found.
    """
    messages = Message.objects.visible_to(user).select_related("conversation", "reply__feedback")
    return _one(messages, message_id, ErrorCode.MESSAGE_NOT_FOUND)


def reply_for(user: Owner, reply_id: uuid.UUID) -> Reply:
    """Find a reply in a conversation that this person owns: 1 query.

    Raises:
        ChatError: message_not_found, for a reply is the assistant's message.
    """
    replies = Reply.objects.visible_to(user).select_related("message__conversation")
    return _one(replies, reply_id, ErrorCode.MESSAGE_NOT_FOUND)


def preset_for(user: Owner, preset_id: uuid.UUID) -> Preset:
    """Find a preset that this person owns: 1 query.

    Raises:
        ChatError: preset_not_found.
    """
    return _one(Preset.objects.visible_to(user), preset_id, ErrorCode.PRESET_NOT_FOUND)


def images_for(user: Owner, image_ids: list[uuid.UUID]) -> list[Image]:
    """Find pictures that this person uploaded, in the order asked for, to be sent: 1 query.

    Locks them to the end of the transaction: who sweeps forgotten pictures leaves them alone, or
    was first, and then they are missing here already. With PostgreSQL they could otherwise go
    between this look and the commit.

    Raises:
        ChatError: image_not_found, when any of them is missing.
    """
    # In one order, so that two questions with the same pictures do not wait for each other.
    locked = Image.objects.visible_to(user).select_for_update(no_key=True).order_by("pk")
    found = {image.pk: image for image in locked.filter(pk__in=image_ids)}
    if len(found) != len(set(image_ids)):
        raise ChatError(ErrorCode.IMAGE_NOT_FOUND)
    return [found[image_id] for image_id in image_ids]


def image_for(user: Owner, image_id: uuid.UUID) -> Image:
    """Find a picture to show: one's own, or any for a reviewer: 1 query.

    Raises:
        ChatError: image_not_found.
    """
    is_reviewer = user.is_staff and user.has_perm(REVIEW_IMAGES)
    images = Image.objects.all() if is_reviewer else Image.objects.visible_to(user)
    return _one(images, image_id, ErrorCode.IMAGE_NOT_FOUND)


def document_for(user: Owner, document_id: uuid.UUID) -> Document:
    """Find a PDF that this person uploaded; no reviewer ever reads one: 1 query.

    Raises:
        ChatError: document_not_found.
    """
    return _one(Document.objects.visible_to(user), document_id, ErrorCode.DOCUMENT_NOT_FOUND)


def run_for(user: Owner, run_id: uuid.UUID) -> DocumentRun:
    """Find a run through a document, in a conversation that this person owns: 1 query.

    Raises:
        ChatError: document_not_found.
    """
    runs = DocumentRun.objects.visible_to(user).select_related("conversation", "document")
    return _one(runs, run_id, ErrorCode.DOCUMENT_NOT_FOUND)


def _one(objects: QuerySet[M], pk: uuid.UUID, code: ErrorCode) -> M:
    """Find one of these, or refuse with a code that says no more than that it is missing."""
    found = objects.filter(pk=pk).first()
    if found is None:
        raise ChatError(code)
    return found
