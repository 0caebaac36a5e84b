"""An invitation: a link that lets people sign up where sign-up is not open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.secret_text import digest

if TYPE_CHECKING:
    from datetime import datetime


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Named queries over invitations."""

    def usable(self) -> Self:
        """Keep those that still let somebody in."""
        return self.filter(expires_at__gt=timezone.now(), uses__lt=F("max_uses"))

    def with_token(self, token: str) -> Self:
        """Keep the one whose link holds this token."""
        return self.filter(digest=digest(token))


class Invitation(models.Model):
    """Lets `max_uses` people sign up until it expires; only a digest of its link is kept."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    note = models.CharField(_("for whom"), max_length=120, blank=True)
    email = models.EmailField(
        _("e-mail address"),
        blank=True,
        help_text=_("If given, only an account with this address can be made."),
    )
    max_uses = models.PositiveSmallIntegerField(_("how many may sign up"), default=1)
    uses = models.PositiveSmallIntegerField(_("signed up"), default=0, editable=False)
    expires_at = models.DateTimeField(_("valid until"))
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        """Nobody comes in beyond the number."""

        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ("-created_at", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(max_uses__gt=0, uses__lte=F("max_uses")),
                name="invitation_uses_within_bounds",
            ),
        )

    def __str__(self) -> str:
        """Show whom it is for, else its number; nothing of the link."""
        return self.note or self.email or f"#{self.pk}"

    def is_usable(self, now: datetime) -> bool:
        """Whether it still lets somebody in."""
        return self.uses < self.max_uses and self.expires_at > now
