"""Feedback: what somebody thinks of an answer."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

COMMENT_MAX_CHARS = 2000


class Feedback(models.Model):
    """One judgement of one answer, by the person who asked; a later one replaces it."""

    class Value(models.IntegerChoices):
        """Thumb up or down."""

        GOOD = 1, _("good")
        BAD = -1, _("bad")

    reply = models.OneToOneField(
        "chat.Reply",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="feedback",
        verbose_name=_("reply"),
    )
    value = models.SmallIntegerField(_("judgement"), choices=Value.choices)
    comment = models.CharField(_("comment"), max_length=COMMENT_MAX_CHARS, blank=True)
    given_at = models.DateTimeField(_("given at"), default=timezone.now)

    class Meta:
        """Nothing between good and bad."""

        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(value__in=(1, -1)), name="feedback_value_is_known"
            ),
        )

    def __str__(self) -> str:
        """Show the judgement; never the comment, which is private."""
        return str(self.get_value_display())
