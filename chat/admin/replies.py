"""Replies for operators: the queue, leases, failures; never the text, which is in transcripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from chat.admin.filters import ErrorFilter
from chat.admin.read_only import UndeletableAdmin
from chat.models import Reply

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

    from chat.models import Feedback


@admin.register(Reply)
class ReplyAdmin(UndeletableAdmin[Reply]):
    """Shows who writes what, since when, and how it ended."""

    list_display = (
        "pk",
        "state",
        "attempt",
        "lease_owner",
        "lease_until",
        "age",
        "model",
        "finish_reason",
        "error_code",
        "judgement",
    )
    list_filter = ("state", "is_demo", "finish_reason", ErrorFilter, "feedback__value")
    date_hierarchy = "queued_at"
    ordering = ("-queued_at", "pk")
    search_fields = ("lease_owner", "model", "message__conversation__owner__username")
    search_help_text = _("Lease owner, model or person")
    fields = (
        "conversation",
        "state",
        "attempt",
        "lease_owner",
        "lease_until",
        "is_cancel_requested",
        "age",
        "queued_at",
        "started_at",
        "ended_at",
        "finish_reason",
        "error_code",
        "model",
        "is_demo",
        "options",
        "usage",
        "timings",
        "judgement",
        "comment",
    )
    readonly_fields = ("conversation", "age", "judgement", "comment")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reply]:
        """Leave the long fields in the database."""
        replies = super().get_queryset(request).select_related("message", "feedback")
        return replies.defer("text", "token_ids", "message__text")

    @admin.display(description=_("age"), ordering="queued_at")
    def age(self, reply: Reply) -> str:
        """Show the seconds since it was queued, or those it took to its end."""
        age = (reply.ended_at or timezone.now()) - reply.queued_at
        return f"{age.total_seconds():.1f} s"

    @admin.display(description=_("feedback"), ordering="feedback__value")
    def judgement(self, reply: Reply) -> str:
        """Show what its person thinks of the answer."""
        feedback: Feedback | None = getattr(reply, "feedback", None)
        return str(feedback) if feedback else ""

    @admin.display(description=_("comment"))
    def comment(self, reply: Reply) -> str:
        """Show why; only on the reply's own page."""
        feedback: Feedback | None = getattr(reply, "feedback", None)
        return feedback.comment if feedback else ""

    @admin.display(description=_("conversation"))
    def conversation(self, reply: Reply) -> SafeString:
        """Link to the transcript, at this answer."""
        conversation_id = reply.message.conversation_id
        url = reverse("admin:chat_conversation_change", args=(conversation_id,))
        return format_html('<a href="{}#message-{}">{}</a>', url, reply.pk, conversation_id)
