"""A conversation: one person's tree of messages about pictures."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.reply import Reply

if TYPE_CHECKING:
    from chat.models.image import Owner

TITLE_MAX_CHARS = 120


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Named queries over conversations."""

    def visible_to(self, user: Owner) -> Self:
        """Keep what this person owns and has not deleted."""
        return self.filter(owner_id=user.pk, deleted_at__isnull=True)

    def newest_first(self) -> Self:
        """Order as the sidebar shows it: pinned ones, then the latest activity."""
        return self.order_by(models.F("pinned_at").desc(nulls_last=True), "-active_at", "-id")

    def with_is_generating(self) -> Self:
        """Annotate `is_generating`: whether a reply is waiting or being written."""
        open_replies = Reply.objects.open().filter(message__conversation=OuterRef("pk"))
        return self.annotate(is_generating=Exists(open_replies))

    def matching(self, text: str) -> Self:
        """Keep those whose title, questions or answers contain the text, case aside."""
        if not text:
            return self
        hit = (
            Q(title__icontains=text)
            | Q(messages__text__icontains=text)
            | Q(messages__reply__text__icontains=text)
        )
        return self.filter(pk__in=self.filter(hit).values("pk"))


class Conversation(models.Model):
    """One person's conversation; deleting it deletes its messages and replies."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="conversations",
        verbose_name=_("owner"),
    )
    title = models.CharField(_("title"), max_length=TITLE_MAX_CHARS, blank=True)
    # The end of the shown branch: where the next turn is attached when none is named.
    leaf = models.ForeignKey(
        "chat.Message",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("end of the shown branch"),
    )
    pinned_at = models.DateTimeField(_("pinned at"), null=True, blank=True)
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True)
    # Out of everybody's sight; gone for good once it can no longer be undone.
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True, editable=False)
    # An answer has ended that its person has not looked at yet, in any tab.
    is_unread = models.BooleanField(_("unread"), default=False)
    # What its answers are asked for with, where a turn says nothing else: `TurnOptions.chosen()`.
    options = models.JSONField(_("options"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    active_at = models.DateTimeField(_("last activity"), default=timezone.now)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        """Sidebar order is served by one index, what waits to be purged by another."""

        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        indexes = (
            models.Index(fields=("owner", "-active_at"), name="conversation_sidebar"),
            models.Index(
                fields=("deleted_at",),
                name="conversation_deleted",
                condition=Q(deleted_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        """Show the title, or the id while there is none."""
        return self.title or str(self.pk)
