"""What a person used on one day: what the daily quotas are held against."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class DailyUse(models.Model):
    """A day's count, apart from the conversations, so that deleting these gives nothing back."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
    )
    day = models.DateField(_("day"))  # in the server's time zone
    turns = models.PositiveIntegerField(_("turns"), default=0)
    # Read and written: prompts count too, for reading them is what a CPU does most of the time.
    tokens = models.PositiveBigIntegerField(_("tokens"), default=0)

    class Meta:
        """One row for each person and day."""

        verbose_name = _("daily use")
        verbose_name_plural = _("daily use")
        ordering = ("-day", "owner")
        constraints = (
            models.UniqueConstraint(fields=("owner", "day"), name="daily_use_once_a_day"),
        )

    def __str__(self) -> str:
        """Show whose and when."""
        return f"{self.owner_id} {self.day}"
