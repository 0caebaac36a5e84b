"""Turns: a question is kept together with the reply that will answer it."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from chat import access
from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Message, MessageImage, Reply
from chat.protocol import TurnOptions
from chat.services import conversations
from chat.signals import send_after_commit, turn_started

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person asks, as ids and text not yet looked at.

    One that `edits_id` names is asked again beside it; `former_options` are those of its reply.
    """

    text: str
    image_ids: list[uuid.UUID] = field(default_factory=list)
    conversation_id: uuid.UUID | None = None
    parent_id: uuid.UUID | None = None
    client_id: uuid.UUID | None = None
    options: TurnOptions = field(default_factory=TurnOptions)
    edits_id: uuid.UUID | None = None
    former_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A kept question and its reply; `is_new` is False when the same client id came again."""

    conversation: Conversation
    message: Message
    reply: Reply
    is_new: bool


def start_turn(user: User, question: Question) -> Turn:
    """Keep a question and queue its reply, in one transaction; about 12 queries.

    After the commit `turn_started` is sent: a worker's doorbell, and news for the person's tabs.

    Raises:
        ChatError: empty_text, text_too_long, too_many_images, image_not_found,
            conversation_not_found, message_not_found, already_running, queue_full.
    """
    check_question(question)
    try:
        with transaction.atomic():
            turn = _find_turn(user, question) or _keep_turn(user, question)
    except (IntegrityError, ChatError):
        # The same client id may have been kept by another connection since the look: it shows at
        # the insert, or, in a conversation that is there already, as the reply that is running.
        found = _find_turn(user, question)
        if found is None:
            raise
        turn = found
    return turn


def regenerate(user: User, reply_id: uuid.UUID, options: TurnOptions) -> Turn:
    """Queue another reply to the same question, as a sibling; about 8 queries.

    What the options leave open is as it was for the reply before, but for the seed.

    Raises:
        ChatError: message_not_found, already_running, queue_full.
    """
    with transaction.atomic():
        former = access.reply_for(user, reply_id)
        conversation = lock(former.message.conversation)
        check_queue()
        question = former.message.parent
        if question is None:  # an answer hangs on its question
            raise ChatError(ErrorCode.MESSAGE_NOT_FOUND)
        return _queue_reply(conversation, question, _as_asked(options, former.options))


def check_question(question: Question) -> None:
    """Check what needs no database.

    Raises:
        ChatError: empty_text, text_too_long, too_many_images.
    """
    if not question.text.strip():
        raise ChatError(ErrorCode.EMPTY_TEXT)
    if len(question.text) > settings.VL_TEXT_CHARS:
        raise ChatError(ErrorCode.TEXT_TOO_LONG, limit=settings.VL_TEXT_CHARS)
    check_image_count(len(question.image_ids))


def with_images(question: Question, image_ids: list[uuid.UUID]) -> Question:
    """Give the same question with these pictures, in order."""
    return replace(question, image_ids=image_ids)


def check_image_count(count: int) -> None:
    """Check the number of pictures of one turn.

    Raises:
        ChatError: too_many_images.
    """
    if count > settings.VL_IMAGES_PER_TURN:
        raise ChatError(ErrorCode.TOO_MANY_IMAGES, limit=settings.VL_IMAGES_PER_TURN)


def _find_turn(user: User, question: Question) -> Turn | None:
    if question.client_id is None:
        return None
    messages = Message.objects.select_related("conversation").filter(
        author=user, client_id=question.client_id
    )
    message = messages.first()
    if message is None:
        return None
    reply = Reply.objects.filter(message__parent=message).order_by("queued_at").first()
    if reply is None:
        return None
    return Turn(conversation=message.conversation, message=message, reply=reply, is_new=False)


def _keep_turn(user: User, question: Question) -> Turn:
    conversation, parent = _place(user, question)
    images = access.images_for(user, question.image_ids)
    check_queue()
    message = Message.objects.create(
        conversation=conversation,
        parent=parent,
        role=Message.Role.USER,
        text=question.text,
        author=user,
        client_id=question.client_id,
    )
    MessageImage.objects.bulk_create(
        MessageImage(message=message, image=image, position=position)
        for position, image in enumerate(images)
    )
    return _queue_reply(conversation, message, _as_asked(question.options, question.former_options))


def _queue_reply(conversation: Conversation, question: Message, options: dict[str, Any]) -> Turn:
    """Keep the place of an answer and the job that fills it; the shown branch ends there now."""
    answer = Message.objects.create(
        conversation=conversation, parent=question, role=Message.Role.ASSISTANT
    )
    reply = Reply.objects.create(message=answer, options=options)
    conversation.leaf = answer
    conversation.active_at = timezone.now()
    conversation.save(update_fields=["leaf", "active_at"])
    send_after_commit(
        turn_started, conversation=conversation, message_id=question.pk, reply_id=reply.pk
    )
    return Turn(conversation=conversation, message=question, reply=reply, is_new=True)


def check_queue() -> None:
    """Refuse more than may wait.

    Raises:
        ChatError: queue_full.
    """
    if Reply.objects.filter(state=Reply.State.QUEUED).count() >= settings.VL_QUEUE_REPLIES:
        raise ChatError(ErrorCode.QUEUE_FULL, retry_after_s=10)


def _place(user: User, question: Question) -> tuple[Conversation, Message | None]:
    """Find or make the conversation, and the message that the question hangs on."""
    if question.edits_id is not None:
        edited = access.message_for(user, question.edits_id)
        return lock(edited.conversation), edited.parent
    if question.conversation_id is None:
        if question.parent_id is not None:
            raise ChatError(ErrorCode.MESSAGE_NOT_FOUND)
        title = conversations.title_from(question.text)
        return Conversation.objects.create(owner=user, title=title), None
    conversation = lock(access.conversation_for(user, question.conversation_id))
    if question.parent_id is None:
        return conversation, conversation.leaf
    parent = access.message_for(user, question.parent_id)
    if parent.conversation_id != conversation.pk or parent.role != Message.Role.ASSISTANT:
        raise ChatError(ErrorCode.MESSAGE_NOT_FOUND)
    return conversation, parent


def lock(conversation: Conversation) -> Conversation:
    """Lock the row, so that two turns cannot start on one conversation at the same moment.

    Raises:
        ChatError: already_running.
    """
    locked = Conversation.objects.select_for_update().get(pk=conversation.pk)
    if Reply.objects.open().filter(message__conversation=locked).exists():
        raise ChatError(ErrorCode.ALREADY_RUNNING)
    return locked


def _as_asked(options: TurnOptions, former: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the client chose, with what must not change between two attempts filled in.

    What it left open is as in the former reply to the same question, but for the seed.
    """
    asked = {name: value for name, value in asdict(options).items() if value is not None}
    before = {name: value for name, value in former.items() if name != "seed"}
    kept: dict[str, Any] = {"seed": secrets.randbelow(2**31), "pixels": settings.VL_PIXELS}
    kept |= before | asked
    kept["max_tokens"] = min(kept.get("max_tokens", settings.VL_MAX_TOKENS), settings.VL_MAX_TOKENS)
    return kept
