"""An API key: lets a program act for its person without their password."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime

    from chat.models.image import Owner

NAME_MAX_CHARS = 60
PREFIX_CHARS = 12


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Named queries over API keys."""

    def visible_to(self, user: Owner) -> Self:
        """Keep this person's."""
        return self.filter(owner_id=user.pk)

    def valid(self) -> Self:
        """Keep those that open something now: not expired, of an active person."""
        lasting = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        return self.filter(lasting, owner__is_active=True)


class ApiKey(models.Model):
    """One key; only its digest and its first characters are kept. Deleting it revokes it."""

    class Scope(models.TextChoices):
        """What the key may do; `chat` includes `read`."""

        READ = "read", _("read")
        CHAT = "chat", _("read, ask and change")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="api_keys",
        verbose_name=_("owner"),
    )
    name = models.CharField(_("name"), max_length=NAME_MAX_CHARS)
    prefix = models.CharField(_("begins with"), max_length=PREFIX_CHARS, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scope = models.CharField(_("may"), max_length=4, choices=Scope.choices, default=Scope.CHAT)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        """The scope is a known one."""

        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-created_at", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(scope__in=("read", "chat")), name="api_key_scope_is_known"
            ),
        )

    def __str__(self) -> str:
        """Show the name and the beginning, which is no secret."""
        return f"{self.name} ({self.prefix}…)"

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now
