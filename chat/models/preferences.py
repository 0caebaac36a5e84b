"""What a person chose for their account."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Preferences(models.Model):
    """A person's choices; without a row everything is left to the browser."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="preferences",
        verbose_name=_("owner"),
    )
    language = models.CharField(_("language"), max_length=12, blank=True)

    class Meta:
        """One row a person."""

        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")

    def __str__(self) -> str:
        """Show whose they are."""
        return f"preferences of {self.owner_id}"
