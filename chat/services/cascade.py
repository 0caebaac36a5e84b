"""What must go with a row, and is not in the database: files, logs, work, sessions, counts.

Django's own signals of deletion are the one place that sees every way: the page, the API, the
admin, a shell, a person's rows going with their account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.usersessions.models import UserSession
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, pre_delete

from chat import rate_limits
from chat.models import Conversation, Document, Image, Reply
from chat.models.document import documents_folder_of
from chat.models.image import folder_of
from chat.services import leftover_files
from chat.signals import conversation_deleted, send_after_commit

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def listen() -> None:
    """Connect to Django's signals; once, when Django is set up."""
    pre_delete.connect(_before_conversation, sender=Conversation)
    post_delete.connect(_after_image, sender=Image)
    post_delete.connect(_after_document, sender=Document)
    post_delete.connect(_after_session, sender=UserSession)
    post_delete.connect(_after_person, sender=get_user_model())


def _before_conversation(*, instance: Conversation, **_: Any) -> None:
    replies = Reply.objects.filter(message__conversation=instance)
    send_after_commit(
        conversation_deleted,
        owner_id=instance.owner_id,
        conversation_id=instance.pk,
        open_reply_ids=list(replies.open().values_list("pk", flat=True)),
        gone_reply_ids=list(replies.values_list("pk", flat=True)),
    )


def _after_image(*, instance: Image, **_: Any) -> None:
    leftover_files.leave([name for name in (instance.file.name, instance.thumbnail.name) if name])


def _after_document(*, instance: Document, **_: Any) -> None:
    leftover_files.leave([instance.file.name] if instance.file.name else [])


def _after_session(*, instance: UserSession, **_: Any) -> None:
    Session.objects.filter(session_key=instance.session_key).delete()


def _after_person(*, instance: User, **_: Any) -> None:
    leftover_files.leave([folder_of(instance.pk), documents_folder_of(instance.pk)])
    person_id = instance.pk  # the instance has none, once it is deleted
    transaction.on_commit(lambda: rate_limits.rate_limits().forget(person_id))
