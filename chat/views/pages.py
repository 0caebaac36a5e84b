"""The chat page: empty, or with a conversation."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import salted_hmac

from chat import access, export
from chat.errors import ChatError
from chat.generation.info import limits
from chat.models import Conversation, Message
from chat.services import conversations, document_runs
from chat.services.message_tree import MessageTree
from chat.views.guard import page
from chat.views.options_form import detail_choices, number_options, options_data
from chat.views.page_texts import example_questions, page_texts
from chat.views.sidebar import ConversationCard, sidebar_page
from chat.views.transcript import Stretch, blank_cards, stretch


@page
def home(request: HttpRequest) -> HttpResponse:
    """Show the page for a new conversation."""
    return _chat(request, conversation=None, transcript=Stretch())


@page
def conversation(request: HttpRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Show a conversation with all that is written so far."""
    shown = access.conversation_for(request.user, conversation_id)
    conversations.set_unread(shown, is_unread=False)
    sought = _sought_message(request, shown)
    if sought is not None and sought.pk not in MessageTree.of(shown).path_to(shown.leaf_id):
        conversations.show(shown, sought)
    shown_end = stretch(shown, leaf_id=shown.leaf_id, sought=sought)
    return _chat(request, conversation=shown, transcript=shown_end)


def _sought_message(request: HttpRequest, conversation: Conversation) -> Message | None:
    """Find the message that the address names (`?at=`): the hit of a search."""
    try:
        message = access.message_for(request.user, uuid.UUID(request.GET.get("at", "")))
    except (ValueError, ChatError):
        return None  # it is gone: the conversation is shown all the same
    return message if message.conversation_id == conversation.pk else None


def _chat(
    request: HttpRequest, *, conversation: Conversation | None, transcript: Stretch
) -> HttpResponse:
    context = {
        "conversation": conversation,
        "transcript": transcript,
        "sidebar": sidebar_page(request.user),
        "blank_conversation": ConversationCard(),
        "page_data": _page_data(request, conversation),
        "example_questions": example_questions(),
        "export_formats": export.forms(),
        "run": getattr(conversation, "document_run", None),
        "run_text": document_runs.default_text(),
        "detail_choices": detail_choices(),
        "number_options": number_options(),
        **blank_cards(),
    }
    response = render(request, "chat/chat.html", context)
    # Whose page it is, for the service worker, which keeps nobody's pages for somebody else.
    response["X-VL-Person"] = salted_hmac("chat.views.pages", str(request.user.pk)).hexdigest()
    return response


def _page_data(request: HttpRequest, conversation: Conversation | None) -> dict[str, Any]:
    """Give the scripts what they cannot know; no secret, it stands in the page's source."""
    return {
        "user": request.user.pk,
        "conversation": str(conversation.pk) if conversation else None,
        "urls": {
            "home": reverse("chat:home"),
            "sidebar": reverse("chat:conversations"),
            "login": reverse("account_login"),
            "api": "/api/",
            "images": "/api/images/",
            "replies": "/api/replies/",
            "documents": "/api/documents/",
            "runs": "/api/runs/",
            "presets": "/api/presets/",
            "conversations": "/api/conversations/",
            "socket": "/ws/chat/",
        },
        "options": options_data(request.user, conversation),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        # Until the socket's `info` says so itself.
        "limits": limits(),
        "texts": page_texts(),
    }
