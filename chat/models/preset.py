"""A preset: options that a person gave a name, to choose them again."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from chat.models.image import Owner

PRESET_NAME_MAX_CHARS = 60


class PresetQuerySet(models.QuerySet["Preset"]):
    """Named queries over presets."""

    def visible_to(self, user: Owner) -> Self:
        """Keep what this person owns."""
        return self.filter(owner_id=user.pk)


class Preset(models.Model):
    """One person's options under a name; the default one is what new conversations begin with."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="presets",
        verbose_name=_("owner"),
    )
    name = models.CharField(_("name"), max_length=PRESET_NAME_MAX_CHARS)
    # `TurnOptions.chosen()`.
    options = models.JSONField(_("options"), default=dict, blank=True)
    is_default = models.BooleanField(_("for new conversations"), default=False)

    objects = PresetQuerySet.as_manager()

    class Meta:
        """A person's names differ, and one of the presets at most is the default."""

        verbose_name = _("preset")
        verbose_name_plural = _("presets")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("owner", "name"), name="preset_name_of_owner"),
            models.UniqueConstraint(
                fields=("owner",), condition=Q(is_default=True), name="preset_default_of_owner"
            ),
        )

    def __str__(self) -> str:
        """Show the name."""
        return self.name
