"""A `message` as it came, by socket or by HTTP: its pictures are stored, then its turn is kept."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from chat.errors import ChatError, ErrorCode
from chat.protocol import AcceptedFrame
from chat.services import images, turns

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from chat.protocol import MessageFrame


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
    )
    turns.check_question(question)
    turns.check_image_count(len(frame.images))
    image_ids = [_image_id(user, reference) for reference in frame.images]
    turn = turns.start_turn(user, turns.with_images(question, image_ids))
    return AcceptedFrame(
        id=frame.id,
        conversation=turn.conversation.pk,
        message=turn.message.pk,
        reply=turn.reply.pk,
        title=turn.conversation.title,
    )


def _image_id(user: User, reference: str) -> uuid.UUID:
    if reference.startswith("data:"):
        return images.store_upload(user, images.decode_data_url(reference)).pk
    try:
        return uuid.UUID(reference)
    except ValueError as error:
        raise ChatError(ErrorCode.IMAGE_NOT_FOUND) from error
