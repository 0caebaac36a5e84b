"""A file whose row is gone: noted with the row's deletion, forgotten once the file is deleted."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class LeftoverFile(models.Model):
    """A file to be deleted, so that no crash and no outage of the storage keeps it for ever."""

    name = models.CharField(_("name in the storage"), max_length=200, unique=True)
    left_at = models.DateTimeField(_("left at"), default=timezone.now)

    class Meta:
        """Oldest first."""

        verbose_name = _("file to be deleted")
        verbose_name_plural = _("files to be deleted")
        ordering = ("left_at", "pk")

    def __str__(self) -> str:
        """Show where it lies."""
        return self.name
