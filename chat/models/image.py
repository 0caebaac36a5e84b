"""An uploaded picture: re-encoded, private, stored once for each person."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self, TypeAlias

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import AnonymousUser, User

    Owner: TypeAlias = User | AnonymousUser


def folder_of(owner_id: int) -> str:
    """Name the folder of a person's pictures."""
    return f"images/{owner_id}"


def full_path(image: Image, _filename: str) -> str:
    """Place the picture below its owner; the client's file name is never used."""
    return f"{folder_of(image.owner_id)}/{image.pk}.{image.extension}"


def thumbnail_path(image: Image, _filename: str) -> str:
    """Place the thumbnail beside the picture."""
    return f"{folder_of(image.owner_id)}/{image.pk}.thumbnail.webp"


class ImageQuerySet(models.QuerySet["Image"]):
    """Named queries over pictures."""

    def visible_to(self, user: Owner) -> Self:
        """Keep what this person uploaded."""
        return self.filter(owner_id=user.pk)

    def orphaned(self, before: datetime) -> Self:
        """Keep what no message shows, and was uploaded before this for the last time."""
        return self.filter(created_at__lt=before, messageimage__isnull=True)


class Image(models.Model):
    """A picture as the model and people see it: first frame, upright, without metadata."""

    class ContentType(models.TextChoices):
        """What pictures are re-encoded to."""

        JPEG = "image/jpeg", "JPEG"
        PNG = "image/png", "PNG"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="images",
        verbose_name=_("owner"),
    )
    # Of the uploaded bytes: the same file sent again finds the row it made the first time.
    sha256 = models.CharField("SHA-256", max_length=64)
    width_px = models.PositiveIntegerField(_("width in pixels"))
    height_px = models.PositiveIntegerField(_("height in pixels"))
    size_bytes = models.PositiveIntegerField(_("size in bytes"))
    content_type = models.CharField(_("type"), max_length=10, choices=ContentType.choices)
    file = models.FileField(_("picture"), upload_to=full_path, max_length=200)
    thumbnail = models.FileField(_("thumbnail"), upload_to=thumbnail_path, max_length=200)
    # Anew when the same file comes again, so that it is not taken for forgotten.
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = ImageQuerySet.as_manager()

    class Meta:
        """One row for each file and person."""

        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("owner", "sha256"), name="image_once_an_owner"),
            models.CheckConstraint(
                condition=models.Q(width_px__gt=0, height_px__gt=0, size_bytes__gt=0),
                name="image_has_a_size",
            ),
        )

    def __str__(self) -> str:
        """Show the size and the id."""
        return f"{self.width_px}×{self.height_px} {self.pk}"

    @property
    def extension(self) -> str:
        """File name ending for the content type."""
        return "png" if self.content_type == self.ContentType.PNG else "jpg"
