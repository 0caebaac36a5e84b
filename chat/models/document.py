"""An uploaded PDF, private and never served: what its pages are drawn from."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from chat.models.image import Owner

NAME_MAX_CHARS = 120


def documents_folder_of(owner_id: int) -> str:
    """Name the folder of a person's documents."""
    return f"documents/{owner_id}"


def document_path(document: Document, _filename: str) -> str:
    """Place the file below its owner; the client's file name is never used."""
    return f"{documents_folder_of(document.owner_id)}/{document.pk}.pdf"


class DocumentQuerySet(models.QuerySet["Document"]):
    """Named queries over documents."""

    def visible_to(self, user: Owner) -> Self:
        """Keep what this person uploaded."""
        return self.filter(owner_id=user.pk)


class Document(models.Model):
    """A PDF as it was uploaded; deleting the row deletes the file."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="documents",
        verbose_name=_("owner"),
    )
    # The same file sent again finds the row it made the first time.
    sha256 = models.CharField("SHA-256", max_length=64)
    name = models.CharField(_("name"), max_length=NAME_MAX_CHARS)
    size_bytes = models.PositiveIntegerField(_("size in bytes"))
    # [width, height] of each page in pixels, as it will be drawn.
    page_sizes_px = models.JSONField(_("sizes of the pages in pixels"))
    file = models.FileField(_("file"), upload_to=document_path, max_length=200)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        """One row for each file and person."""

        verbose_name = _("document")
        verbose_name_plural = _("documents")
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("owner", "sha256"), name="document_once_an_owner"),
        )

    def __str__(self) -> str:
        """Show the id; never the name, which is private."""
        return str(self.pk)

    @property
    def page_count(self) -> int:
        """How many pages it has."""
        return len(self.page_sizes_px)
