"""A reply: the durable job that writes one answer. Its row is the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    import uuid

    from chat.models.image import Owner


class ReplyQuerySet(models.QuerySet["Reply"]):
    """Named queries over replies."""

    def visible_to(self, user: Owner) -> Self:
        """Keep those in conversations that this person owns and has not deleted."""
        return self.filter(
            message__conversation__owner_id=user.pk, message__conversation__deleted_at__isnull=True
        )

    def open(self) -> Self:
        """Keep those without a terminal event yet: queued or running."""
        return self.filter(state__in=(Reply.State.QUEUED, Reply.State.RUNNING))


class Reply(models.Model):
    """One answer: what was asked of the model, who writes it, and what is written so far.

    It shares its id with the assistant message whose place in the tree it fills. Only
    `chat.generation.claim` changes `state`, `attempt` and the lease.
    """

    class State(models.TextChoices):
        """Where the reply stands."""

        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        STOPPED = "stopped", _("stopped")
        FAILED = "failed", _("failed")

    class FinishReason(models.TextChoices):
        """Why a finished answer ended."""

        STOP = "stop", _("complete")
        LENGTH = "length", _("length limit")
        STOPPED = "stopped", _("stopped")
        REPETITION = "repetition", _("repetition")

    message = models.OneToOneField(
        "chat.Message",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="reply",
        verbose_name=_("message"),
    )
    state = models.CharField(
        _("state"), max_length=7, choices=State.choices, default=State.QUEUED, db_index=True
    )
    # {max_tokens, seed, pixels} always, what else the turn, the conversation or the former reply
    # chose, and under `asked` the names of those that did not come from the conversation.
    options = models.JSONField(_("options"), default=dict)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    # Those of before it was last continued: each continuation has its own number of tries.
    attempts_before = models.PositiveSmallIntegerField(_("attempts before"), default=0)
    lease_owner = models.CharField(_("lease owner"), max_length=120, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    is_cancel_requested = models.BooleanField(_("stop requested"), default=False)
    # Keep the text up to here (code points) when the stop was asked for by somebody reading.
    cancel_seen_offset = models.PositiveIntegerField(
        _("text seen when stopped"), null=True, blank=True
    )
    text = models.TextField(_("text"), blank=True)
    token_ids = models.JSONField(_("token ids"), default=list, blank=True)
    finish_reason = models.CharField(
        _("finish reason"), max_length=10, choices=FinishReason.choices, blank=True
    )
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    usage = models.JSONField(_("usage"), default=dict, blank=True)
    timings = models.JSONField(_("timings"), default=dict, blank=True)
    model = models.CharField(_("model"), max_length=200, blank=True)
    is_demo = models.BooleanField(_("by the demo model"), default=False)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = ReplyQuerySet.as_manager()

    class Meta:
        """A lease belongs to a running reply, an end to an ended one, a reason to its kind."""

        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        indexes = (models.Index(fields=("state", "queued_at"), name="reply_queue"),)
        constraints = (
            models.CheckConstraint(
                condition=(
                    Q(state="running", lease_until__isnull=False)
                    | (~Q(state="running") & Q(lease_until__isnull=True, lease_owner=""))
                ),
                name="reply_lease_while_running",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state__in=("queued", "running"), ended_at__isnull=True)
                    | Q(state__in=("done", "stopped", "failed"), ended_at__isnull=False)
                ),
                name="reply_ends_once",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state__in=("queued", "running"), finish_reason="", error_code="")
                    | Q(state="done", finish_reason__in=("stop", "length", "repetition"))
                    | Q(state="stopped", finish_reason="stopped")
                    | (Q(state="failed", finish_reason="") & ~Q(error_code=""))
                ),
                name="reply_reason_fits_state",
            ),
        )

    def __str__(self) -> str:
        """Show the id and the state; never the text, which is private."""
        return f"{self.pk} {self.state}"

    @property
    def id(self) -> uuid.UUID:
        """The public id: the assistant message's own."""
        return self.message_id

    @property
    def is_open(self) -> bool:
        """Whether a terminal event is still to come."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)

    @property
    def is_taken_over(self) -> bool:
        """Whether an earlier attempt was lost; nobody asked for this one."""
        return self.attempt > self.attempts_before + 1

    def option(self, name: str) -> Any:
        """Read one option, None when it was never set."""
        return self.options.get(name)
