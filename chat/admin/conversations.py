"""Conversations in the admin: found by any of their words, read as a transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from chat.admin.filters import DemoFilter, FeedbackFilter, StateFilter
from chat.admin.read_only import ReadOnlyAdmin
from chat.admin.transcript import transcript
from chat.models import Conversation, Message, Reply
from chat.services import conversations

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin[Conversation]):
    """Lists, searches and shows conversations; deletes them for those with the permission."""

    list_display = ("heading", "owner", "turns", "active_at", "is_generating", "answered_by")
    list_display_links = ("heading",)
    list_filter = (StateFilter, DemoFilter, FeedbackFilter)
    list_select_related = ("owner",)
    date_hierarchy = "active_at"
    # What is really searched stands in `get_search_results`; without this there is no field.
    search_fields = ("title",)
    search_help_text = _("Title, owner's name or e-mail, text of questions and answers")
    fields = ("owner", "title", "created_at", "active_at", "pinned_at", "archived_at", "options")
    change_form_template = "admin/chat/conversation/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        """Annotate what the list shows, so that a page stays one query."""
        questions = Message.objects.filter(conversation=OuterRef("pk"), role=Message.Role.USER)
        counted = questions.order_by().values("conversation").annotate(count=Count("pk"))
        replies = Reply.objects.filter(message__conversation=OuterRef("pk")).exclude(model="")
        annotated = Conversation.objects.with_is_generating().annotate(
            turn_count=Subquery(counted.values("count")),
            last_model=Subquery(replies.order_by("-queued_at").values("model")[:1]),
        )
        return annotated.order_by("-active_at", "-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        """Search the words as one phrase, in everything that names or makes a conversation."""
        term = search_term.strip()
        if not term:
            return queryset, False
        hit = (
            Q(pk__in=Conversation.objects.matching(term).values("pk"))
            | Q(owner__username__icontains=term)
            | Q(owner__email__icontains=term)
        )
        return queryset.filter(hit), False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the transcript; Django has checked the permission before."""
        context["transcript"] = transcript(kwargs["obj"])
        context["can_see_pictures"] = request.user.has_perm("chat.view_image")
        return super().render_change_form(request, context, *args, **kwargs)

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        """Delete as its owner would: a reply being written is stopped."""
        conversations.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        """Delete each as its owner would."""
        for conversation in queryset:
            conversations.delete(conversation)

    @admin.display(description=_("title"), ordering="title")
    def heading(self, conversation: Conversation) -> str:
        """Show the title, or the id while there is none."""
        return str(conversation)

    @admin.display(description=_("turns"), ordering="turn_count")
    def turns(self, conversation: Conversation) -> int:
        """Count the questions."""
        return getattr(conversation, "turn_count", None) or 0

    @admin.display(description=_("generating"), boolean=True, ordering="is_generating")
    def is_generating(self, conversation: Conversation) -> bool:
        """Say whether a reply is waiting or being written."""
        return bool(getattr(conversation, "is_generating", False))

    @admin.display(description=_("model"), ordering="last_model")
    def answered_by(self, conversation: Conversation) -> str:
        """Name the model that answered last."""
        return getattr(conversation, "last_model", None) or ""
