"""Turns: a question is kept together with the reply that will answer it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from chat import access
from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Message, MessageImage, Reply
from chat.services import conversations, quotas
from chat.services.options import check_options, default_options, reply_options
from chat.signals import send_after_commit, turn_started
from chat.turn_options import TurnOptions

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person asks, as ids and text not yet looked at.

    One that `edits_id` names is asked again beside it; `former_options` are those of its reply.
    `conversation_options` are for a new conversation; None: its person's default.
    """

    text: str
    image_ids: list[uuid.UUID] = field(default_factory=list)
    conversation_id: uuid.UUID | None = None
    parent_id: uuid.UUID | None = None
    client_id: uuid.UUID | None = None
    options: TurnOptions = field(default_factory=TurnOptions)
    conversation_options: TurnOptions | None = None
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
    """Keep a question and queue its reply, in one transaction; about 16 queries.

    After the commit `turn_started` is sent: a worker's doorbell, and news for the person's tabs.

    Raises:
        ChatError: empty_text, text_too_long, too_many_images, image_not_found,
            conversation_not_found, message_not_found, already_running, queue_full,
            system_prompt_too_long.
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
    """Queue another reply to the same question, as a sibling; about 12 queries.

    What the options leave open is as it was asked for the reply before, but for the seed, and then
    as the conversation has it now.

    Raises:
        ChatError: message_not_found, already_running, queue_full, system_prompt_too_long.
    """
    check_options(options)
    with transaction.atomic():
        former = access.reply_for(user, reply_id)
        conversation = lock(former.message.conversation)
        admit(user)
        question = former.message.parent
        if question is None:  # an answer hangs on its question
            raise ChatError(ErrorCode.MESSAGE_NOT_FOUND)
        # Another answer is wanted, so a seed that the conversation holds on to would be in the way.
        lasting = {name: value for name, value in conversation.options.items() if name != "seed"}
        asked = reply_options(options, former=former.options, conversation=lasting)
        return _queue_reply(conversation, question, asked)


def check_question(question: Question) -> None:
    """Check what needs no database.

    Raises:
        ChatError: empty_text, text_too_long, too_many_images, system_prompt_too_long.
    """
    if not question.text.strip():
        raise ChatError(ErrorCode.EMPTY_TEXT)
    if len(question.text) > settings.VL_TEXT_CHARS:
        raise ChatError(ErrorCode.TEXT_TOO_LONG, limit=settings.VL_TEXT_CHARS)
    check_image_count(len(question.image_ids))
    check_options(question.options)
    check_options(question.conversation_options or TurnOptions())


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
    admit(user)
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
    options = reply_options(
        question.options, former=question.former_options, conversation=conversation.options
    )
    return _queue_reply(conversation, message, options)


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


def admit(user: User) -> None:
    """Refuse more than may wait, and more than this person may use; counts the turn: 5 queries.

    Raises:
        ChatError: queue_full, quota_exceeded.
    """
    quotas.take_turn(user)
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
        wanted = question.conversation_options
        options = default_options(user) if wanted is None else wanted.chosen()
        title = conversations.title_from(question.text)
        return Conversation.objects.create(owner=user, title=title, options=options), None
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
