"""A run through a document: one question and answer for each chosen page, one after another."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.document import NAME_MAX_CHARS, Document

if TYPE_CHECKING:
    from typing import Any

    from chat.models.image import Owner


class DocumentRunQuerySet(models.QuerySet["DocumentRun"]):
    """Named queries over runs."""

    def visible_to(self, user: Owner) -> Self:
        """Keep those in conversations that this person owns."""
        return self.filter(conversation__owner_id=user.pk, conversation__deleted_at__isnull=True)

    def running(self) -> Self:
        """Keep those that have pages to ask about."""
        return self.filter(state=DocumentRun.State.RUNNING)


class DocumentRun(models.Model):
    """What is asked of each page, and whether it goes on; it has a conversation of its own."""

    class State(models.TextChoices):
        """Where the run stands."""

        RUNNING = "running", _("running")
        STOPPED = "stopped", _("stopped")
        DONE = "done", _("done")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.OneToOneField(
        "chat.Conversation",
        on_delete=models.CASCADE,
        related_name="document_run",
        verbose_name=_("conversation"),
    )
    # Gone once the PDF is no longer kept: the run's answers stay, no page can be asked about.
    document = models.ForeignKey(
        "chat.Document",
        on_delete=models.SET_NULL,
        null=True,
        related_name="runs",
        verbose_name=_("document"),
    )
    name = models.CharField(_("name"), max_length=NAME_MAX_CHARS)
    text = models.TextField(_("text"))
    state = models.CharField(
        _("state"), max_length=7, choices=State.choices, default=State.RUNNING, db_index=True
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = DocumentRunQuerySet.as_manager()

    class Meta:
        """Newest first."""

        verbose_name = _("document run")
        verbose_name_plural = _("document runs")
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        """Show the id and the state; never the name, which is private."""
        return f"{self.pk} {self.state}"


class RunPage(models.Model):
    """One page's place in a run. A page that is tried again gets another place, at the end."""

    # Also the client id of its question: asked twice, it starts one turn.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(
        DocumentRun, on_delete=models.CASCADE, related_name="pages", verbose_name=_("run")
    )
    position = models.PositiveIntegerField(_("position"))
    number = models.PositiveIntegerField(_("page number"))
    # The question, once it is asked.
    message = models.OneToOneField(
        "chat.Message",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="run_page",
        verbose_name=_("message"),
    )
    # Why it could not be asked; an answer's own error stands on its reply.
    error_code = models.CharField(_("error code"), max_length=40, blank=True)

    class Meta:
        """Places are unique within a run."""

        verbose_name = _("page of a document run")
        verbose_name_plural = _("pages of document runs")
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=("run", "position"), name="run_page_position_once"),
        )

    def __str__(self) -> str:
        """Show which page stands where."""
        return f"{self.run_id}[{self.position}]"


@receiver(post_delete, sender=DocumentRun)
def _remove_document(instance: DocumentRun, **_: Any) -> None:
    """Remove the PDF with the last conversation that was about it."""

    def remove_unused() -> None:
        if instance.document_id is not None:
            Document.objects.filter(pk=instance.document_id, runs=None).delete()

    transaction.on_commit(remove_unused)
