"""A message: a node in a conversation's tree, a question or an answer."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from chat.models.image import Image, Owner


class MessageQuerySet(models.QuerySet["Message"]):
    """Named queries over messages."""

    def visible_to(self, user: Owner) -> Self:
        """Keep those in conversations that this person owns and has not deleted."""
        return self.filter(conversation__owner_id=user.pk, conversation__deleted_at__isnull=True)

    def containing(self, text: str) -> Self:
        """Keep questions and answers that contain the text, case aside, oldest first."""
        hit = Q(text__icontains=text) | Q(reply__text__icontains=text)
        return self.filter(hit).order_by("created_at", "id")

    def for_transcript(self) -> Self:
        """Order by time and load replies and pictures along: 2 queries for any length."""
        placed = MessageImage.objects.select_related("image").order_by("position")
        pictures = models.Prefetch("messageimage_set", queryset=placed)
        return (
            self.select_related("reply__feedback", "run_page__run")
            .prefetch_related(pictures)
            .order_by("created_at", "id")
        )


class Message(models.Model):
    """A question, or the place of an answer whose text its Reply holds."""

    class Role(models.TextChoices):
        """Who speaks."""

        USER = "user", _("user")
        ASSISTANT = "assistant", _("assistant")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        "chat.Conversation",
        on_delete=models.CASCADE,
        related_name="messages",
        verbose_name=_("conversation"),
    )
    parent = models.ForeignKey(
        "self",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
    )
    role = models.CharField(_("role"), max_length=9, choices=Role.choices)
    # Only questions; an answer's text lives on its Reply, where each write is fenced by attempt.
    text = models.TextField(_("text"), blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("author"),
    )
    # The id that the client made for its `message` frame: sent twice, it starts one turn.
    client_id = models.UUIDField(_("client id"), null=True, blank=True, editable=False)
    images = models.ManyToManyField(
        "chat.Image", through="chat.MessageImage", related_name="messages", blank=True
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        """An assistant's row holds no text; a client id counts once for a person."""

        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("created_at", "id")
        indexes = (models.Index(fields=("conversation", "created_at"), name="message_order"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(role="user", author__isnull=False)
                | Q(role="assistant", author__isnull=True, text="", parent__isnull=False),
                name="message_role_decides_author_and_text",
            ),
            models.CheckConstraint(
                condition=~Q(parent=F("id")), name="message_is_not_its_own_parent"
            ),
            models.UniqueConstraint(
                fields=("author", "client_id"),
                condition=Q(client_id__isnull=False),
                name="message_client_id_once_an_author",
            ),
        )

    def __str__(self) -> str:
        """Show the role and the id; never the text, which is private."""
        return f"{self.role} {self.pk}"

    def images_in_order(self) -> list[Image]:
        """Give the pictures as they were placed; no query after `for_transcript`."""
        placed = sorted(self.messageimage_set.all(), key=lambda item: item.position)
        return [item.image for item in placed]


class MessageImage(models.Model):
    """A picture's place in a message: position 0 is "Picture 1" in the prompt."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE)
    image = models.ForeignKey("chat.Image", on_delete=models.RESTRICT)
    position = models.PositiveSmallIntegerField(_("position"))

    class Meta:
        """Positions are unique within a message."""

        verbose_name = _("picture of a message")
        verbose_name_plural = _("pictures of messages")
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(
                fields=("message", "position"), name="message_image_position_once"
            ),
        )

    def __str__(self) -> str:
        """Show which picture stands where."""
        return f"{self.message_id}[{self.position}]"
