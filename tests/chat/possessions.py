"""One of everything that a person can own, for tests of who may reach what by its id."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.files.base import ContentFile
from django.utils import timezone

from chat.models import (
    Conversation,
    Document,
    DocumentRun,
    Feedback,
    Image,
    Message,
    MessageImage,
    Preset,
    Reply,
)
from tests.chat.decoding import pdf_corpus
from tests.chat.factories import a_picture

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOBODYS = uuid.UUID("0b5c9d16-0000-4000-8000-000000000000")
MODELS: tuple[Any, ...] = (
    Conversation, Document, DocumentRun, Feedback, Image, Message, Preset, Reply,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Possessions:
    """Ids of what one person owns."""

    conversation: uuid.UUID
    deleted_conversation: uuid.UUID
    message: uuid.UUID
    reply: uuid.UUID
    image: uuid.UUID
    document: uuid.UUID
    run: uuid.UUID
    preset: uuid.UUID


def possessions_of(owner: User) -> Possessions:
    """Make one of everything; the reply can be gone on with."""
    image = a_picture(owner)
    conversation = Conversation.objects.create(owner=owner, title="secret")
    question = Message.objects.create(
        conversation=conversation, role="user", author=owner, text="a secret question"
    )
    MessageImage.objects.create(message=question, image=image, position=0)
    answer = Message.objects.create(conversation=conversation, role="assistant", parent=question)
    conversation.leaf = answer
    conversation.save()
    # Ended from the start: no runner of the test's takes it up.
    reply = Reply.objects.create(
        message=answer,
        text="a secret answer",
        state="stopped",
        finish_reason="stopped",
        ended_at=timezone.now(),
        options={"max_tokens": 100, "seed": 1, "pixels": "fast"},
    )
    deleted = Conversation.objects.create(owner=owner, title="old", deleted_at=timezone.now())
    document = Document(owner=owner, sha256="0" * 64, name="a.pdf", size_bytes=1)
    document.page_sizes_px = [[100, 100]]
    document.file.save("", ContentFile(pdf_corpus.SOUND), save=False)
    document.save()
    run = DocumentRun.objects.create(
        conversation=Conversation.objects.create(owner=owner, title="run"),
        document=document,
        name="a.pdf",
        text="?",
    )
    return Possessions(
        conversation=conversation.pk,
        deleted_conversation=deleted.pk,
        message=question.pk,
        reply=reply.pk,
        image=image.pk,
        document=document.pk,
        run=run.pk,
        preset=Preset.objects.create(owner=owner, name="mine").pk,
    )


def rows_of_all() -> list[Any]:
    """Give every row of what people own, to see whether anything was changed."""
    return [list(model.objects.order_by("pk").values()) for model in MODELS]
