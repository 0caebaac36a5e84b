"""Questions as they came, by socket or by HTTP: pictures are stored, then the turn is kept."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from chat import access
from chat.errors import ChatError, ErrorCode
from chat.models import Message, Reply
from chat.protocol import AcceptedFrame
from chat.services import images as pictures
from chat.services import turns

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from chat.protocol import EditFrame, MessageFrame, RegenerateFrame


def ask(user: User, frame: MessageFrame) -> AcceptedFrame:
    """Start the turn that a client asks for, and say what was kept.

    Raises:
        ChatError: as `turns.start_turn`, and those of a picture inside the frame.
    """
    question = turns.Question(
        text=frame.text,
        conversation_id=frame.conversation,
        parent_id=frame.parent,
        client_id=frame.id,
        options=frame.options,
        conversation_options=frame.conversation_options,
    )
    return _start(user, question, frame.images)


def edit(user: User, frame: EditFrame) -> AcceptedFrame:
    """Ask a question again with another text, and with its pictures unless others are given.

    Raises:
        ChatError: as `ask`.
    """
    edited = access.message_for(user, frame.message)
    if edited.role != Message.Role.USER:
        raise ChatError(ErrorCode.MESSAGE_NOT_FOUND)
    former = Reply.objects.filter(message__parent=edited).order_by("-queued_at").first()
    question = turns.Question(
        text=frame.text,
        client_id=frame.id,
        edits_id=edited.pk,
        former_options=former.options if former else {},
    )
    kept = tuple(str(image.pk) for image in edited.images_in_order())
    return _start(user, question, kept if frame.images is None else frame.images)


def regenerate(user: User, frame: RegenerateFrame) -> AcceptedFrame:
    """Have the same question answered once more.

    Raises:
        ChatError: as `turns.regenerate`.
    """
    return _accepted(turns.regenerate(user, frame.reply, frame.options))


def _start(user: User, question: turns.Question, images: tuple[str, ...]) -> AcceptedFrame:
    turns.check_question(question)
    turns.check_image_count(len(images))
    image_ids = [_image_id(user, reference) for reference in images]
    turn = turns.start_turn(user, turns.with_images(question, image_ids))
    return _accepted(turn, client_id=question.client_id)


def _accepted(turn: turns.Turn, *, client_id: uuid.UUID | None = None) -> AcceptedFrame:
    return AcceptedFrame(
        id=client_id,
        conversation=turn.conversation.pk,
        message=turn.message.pk,
        reply=turn.reply.pk,
        title=turn.conversation.title,
    )


def _image_id(user: User, reference: str) -> uuid.UUID:
    if reference.startswith("data:"):
        return pictures.store_upload(user, pictures.decode_data_url(reference)).pk
    try:
        return uuid.UUID(reference)
    except ValueError as error:
        raise ChatError(ErrorCode.IMAGE_NOT_FOUND) from error
