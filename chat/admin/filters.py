"""Filters of the lists: conversations by what their replies are like, replies by their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from chat.models import Conversation, Feedback, Reply

if TYPE_CHECKING:
    from typing import Any

    from django.contrib.admin import ModelAdmin
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.functional import _StrPromise


class _ReplyFilter(admin.SimpleListFilter):
    """Keeps conversations with a reply whose `field` has the chosen value."""

    field: str
    choices_of_field: tuple[tuple[str, str | _StrPromise], ...]

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> tuple[tuple[str, str | _StrPromise], ...]:
        """Offer the choices."""
        return self.choices_of_field

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Conversation]
    ) -> QuerySet[Conversation]:
        """Keep what has such a reply."""
        if self.value() not in dict(self.choices_of_field):
            return queryset
        value: object = self.value() == "1" if self.field == "is_demo" else self.value()
        replies = Reply.objects.filter(**{self.field: value})
        return queryset.filter(Exists(replies.filter(message__conversation=OuterRef("pk"))))


class StateFilter(_ReplyFilter):
    """By state of any reply: `failed` finds what went wrong."""

    title = _("state of a reply")
    parameter_name = "reply"
    field = "state"
    choices_of_field = tuple(Reply.State.choices)


class FeedbackFilter(_ReplyFilter):
    """By what people think of any answer."""

    title = _("feedback")
    parameter_name = "feedback"
    field = "feedback__value"
    choices_of_field = tuple((str(value), label) for value, label in Feedback.Value.choices)


class DemoFilter(_ReplyFilter):
    """By who answered."""

    title = _("who answered")
    parameter_name = "demo"
    field = "is_demo"
    choices_of_field = (("1", _("the demo model")), ("0", _("the model")))


class ErrorFilter(admin.SimpleListFilter):
    """By how replies failed, of the ways that occur: 1 query.

    Django's own filter offers the empty code too, as a link without a name.
    """

    title = _("error code")
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Offer the codes."""
        failed = Reply.objects.exclude(error_code="").order_by("error_code")
        return [(code, code) for code in failed.values_list("error_code", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reply]) -> QuerySet[Reply]:
        """Keep what failed that way."""
        code = self.value()
        return queryset.filter(error_code=code) if code else queryset
