"""Pieces of the page that it loads later: messages, the conversation list."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from chat import access
from chat.services.message_tree import MessageTree
from chat.views.guard import page
from chat.views.sidebar import sidebar_page
from chat.views.transcript import EARLIER_MESSAGES, MessageCard, stretch


@page
def message(
    request: HttpRequest, conversation_id: uuid.UUID, message_id: uuid.UUID
) -> HttpResponse:
    """Render one message, for a tab that has not seen it yet."""
    shown = access.message_for(request.user, message_id)
    if shown.conversation_id != conversation_id:
        raise Http404
    siblings = MessageTree.of(shown.conversation).siblings_of(shown.pk)
    return render(request, "chat/_message.html", {"message": MessageCard.of(shown, siblings)})


@page
def earlier_messages(
    request: HttpRequest, conversation_id: uuid.UUID, message_id: uuid.UUID
) -> HttpResponse:
    """Render what stands before a message on its branch: the last of it."""
    known = access.message_for(request.user, message_id)
    if known.conversation_id != conversation_id:
        raise Http404
    before = stretch(known.conversation, leaf_id=known.parent_id, length=EARLIER_MESSAGES)
    return render(request, "chat/_earlier.html", {"transcript": before})


@page
def conversation_list(request: HttpRequest) -> HttpResponse:
    """Render a page of the conversation list, searched by `q`."""
    listed = sidebar_page(
        request.user,
        query=request.GET.get("q", ""),
        page=request.GET.get("page", "1"),
        is_archive="archived" in request.GET,
    )
    current = request.GET.get("current", "")
    return render(request, "chat/_conversations.html", {"sidebar": listed, "current_id": current})
