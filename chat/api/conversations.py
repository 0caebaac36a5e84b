"""Conversations over HTTP: list and search, start, rename, pin, archive, delete, read."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from ninja import Query, Router, Schema, Status
from ninja.responses import codes_4xx
from pydantic import ConfigDict, Field, StrictBool

from chat import access, export
from chat.api.auth import person
from chat.api.errors import ErrorOut
from chat.api.frames import MESSAGE_BODY, OptionsIn, read_chosen
from chat.api.texts import Text
from chat.api.turns import TURN_RESPONSES, start_turn
from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Image, Message, Reply
from chat.rendering import render
from chat.services import conversations, deletion, options
from chat.shares import rendering_shares

router = Router(tags=["conversations"])

MAX_QUERY_CHARS = 200
MAX_PAGE = 100_000
ExportFormat = Literal["md", "json", "html"]
EXPORTED = {"md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8"}


class ConversationSearch(Schema):
    """Which conversations to list."""

    q: Text = Field("", max_length=MAX_QUERY_CHARS)
    page: int = Field(1, ge=1, le=MAX_PAGE)
    archived: bool = False


class ConversationOut(Schema):
    """A conversation's card."""

    id: uuid.UUID
    title: str
    pinned: bool
    archived: bool
    is_generating: bool
    unread: bool
    created_at: datetime
    active_at: datetime


class ConversationCardOut(ConversationOut):
    """A card with the options of its answers."""

    options: dict[str, Any]


class ShownConversationOut(ConversationCardOut):
    """A card with the newest turn of the shown branch."""

    message: uuid.UUID | None
    reply: uuid.UUID | None


class ConversationPageOut(Schema):
    """One page of cards: pinned ones first, then the latest activity."""

    items: list[ConversationOut]
    page: int
    pages: int
    total: int


class ConversationChange(Schema):
    """What to change; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    title: Text | None = None
    pinned: StrictBool | None = None
    archived: StrictBool | None = None
    unread: StrictBool | None = None
    leaf: uuid.UUID | None = None
    options: OptionsIn | None = None


class MessageImageOut(Schema):
    """A picture of a question."""

    id: uuid.UUID
    width: int
    height: int
    type: str


class ReplyOut(Schema):
    """How an answer stands; its text is the message's."""

    state: str
    finish_reason: str
    error_code: str
    usage: dict[str, Any]
    timings: dict[str, Any]
    model: str
    demo: bool


class MessageOut(Schema):
    """A node of the tree."""

    id: uuid.UUID
    parent: uuid.UUID | None
    role: str
    text: str
    html: str
    images: list[MessageImageOut]
    reply: ReplyOut | None
    created_at: datetime


class MessageTreeOut(Schema):
    """All messages, oldest first; the shown branch ends at `leaf`."""

    leaf: uuid.UUID | None
    messages: list[MessageOut]


@router.get("/", response={200: ConversationPageOut, codes_4xx: ErrorOut})
def list_conversations(request: HttpRequest, search: Query[ConversationSearch]) -> dict[str, Any]:
    """List one's conversations, or those whose title, questions or answers contain `q`."""
    found = conversations.page(
        person(request), query=search.q, number=search.page, is_archived=search.archived
    )
    return {
        "items": [_card(conversation) for conversation in found],
        "page": found.number,
        "pages": found.paginator.num_pages,
        "total": found.paginator.count,
    }


@router.post("/", response=TURN_RESPONSES, openapi_extra=MESSAGE_BODY)
def start(request: HttpRequest) -> Status[dict[str, Any]]:
    """Start a conversation by its first turn; the body is a `message` frame without its type."""
    return start_turn(request, conversation=None)


@router.get("/{conversation_id}/", response={200: ShownConversationOut, codes_4xx: ErrorOut})
def show(request: HttpRequest, conversation_id: uuid.UUID) -> dict[str, Any]:
    """Give a conversation's card, with its newest turn."""
    conversation = access.conversation_for(person(request), conversation_id)
    leaf = conversation.leaf
    newest = {"message": leaf.parent_id, "reply": leaf.pk} if leaf else {}
    return _card(conversation) | {"message": None, "reply": None} | newest


@router.patch("/{conversation_id}/", response={200: ConversationCardOut, codes_4xx: ErrorOut})
def change(
    request: HttpRequest, conversation_id: uuid.UUID, wanted: ConversationChange
) -> dict[str, Any]:
    """Rename, pin, archive or mark a conversation, choose its options, or show another branch."""
    conversation = access.conversation_for(person(request), conversation_id)
    with transaction.atomic():  # what can be refused changes nothing else
        _change(conversation, wanted)
    return _card(conversation)


def _change(conversation: Conversation, wanted: ConversationChange) -> None:
    if wanted.title is not None:
        conversations.rename(conversation, wanted.title)
    if wanted.options is not None:
        options.set_options(conversation, read_chosen(wanted.options))
    if wanted.pinned is not None:
        conversations.set_pinned(conversation, is_pinned=wanted.pinned)
    if wanted.archived is not None:
        conversations.set_archived(conversation, is_archived=wanted.archived)
    if wanted.unread is not None:
        conversations.set_unread(conversation, is_unread=wanted.unread)
    if wanted.leaf is not None:
        conversations.show(conversation, _message_in(conversation, wanted.leaf))


def _message_in(conversation: Conversation, message_id: uuid.UUID) -> Message:
    message = conversation.messages.filter(pk=message_id).first()
    if message is None:
        raise ChatError(ErrorCode.MESSAGE_NOT_FOUND)
    return message


@router.delete("/{conversation_id}/", response={204: None, codes_4xx: ErrorOut})
def delete(request: HttpRequest, conversation_id: uuid.UUID) -> Status[None]:
    """Delete a conversation with its messages; a reply being written is stopped.

    For a while (`VL_DELETE_UNDO_S`) it can be brought back.
    """
    deletion.discard(access.conversation_for(person(request), conversation_id))
    return Status(204, None)


@router.post("/{conversation_id}/restore/", response={200: ConversationOut, codes_4xx: ErrorOut})
def restore(request: HttpRequest, conversation_id: uuid.UUID) -> dict[str, Any]:
    """Bring back a conversation that was deleted a moment ago."""
    return _card(deletion.restore(person(request), conversation_id))


@router.get("/{conversation_id}/messages/", response={200: MessageTreeOut, codes_4xx: ErrorOut})
def list_messages(request: HttpRequest, conversation_id: uuid.UUID) -> dict[str, Any]:
    """Give a conversation's whole tree of messages: 3 queries for any length."""
    conversation = access.conversation_for(person(request), conversation_id)
    with rendering_shares.taking(conversation.owner_id):
        return _tree(conversation)


@router.get("/{conversation_id}/export/", response={200: None, codes_4xx: ErrorOut})
def export_file(
    request: HttpRequest, conversation_id: uuid.UUID, format: ExportFormat = "md"
) -> HttpResponseBase:
    """Give a conversation as a file: all of it as JSON, its shown branch as Markdown or HTML.

    The HTML holds its pictures and loads nothing.
    """
    conversation = access.conversation_for(person(request), conversation_id)
    response: HttpResponseBase
    rendering_shares.check(conversation.owner_id)
    if format == "html":
        response = StreamingHttpResponse(export.html(conversation), content_type=EXPORTED[format])
    elif format == "json":
        with rendering_shares.counting(conversation.owner_id):
            content = as_json(conversation)
        response = JsonResponse(content, json_dumps_params={"ensure_ascii": False, "indent": 1})
    else:
        response = HttpResponse(export.markdown(conversation), content_type=EXPORTED[format])
    name = export.file_name(conversation, format)
    disposition = content_disposition_header(as_attachment=True, filename=name)
    response["Content-Disposition"] = disposition or "attachment"
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def as_json(conversation: Conversation) -> dict[str, Any]:
    """Give all there is of a conversation: 4 queries for any length."""
    return {**_card(conversation), **_tree(conversation)}


def _tree(conversation: Conversation) -> dict[str, Any]:
    return {
        "leaf": conversation.leaf_id,
        "messages": [_message(message) for message in conversation.messages.for_transcript()],
    }


def _card(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.pk,
        "title": conversation.title,
        "pinned": conversation.pinned_at is not None,
        "archived": conversation.archived_at is not None,
        "is_generating": _is_generating(conversation),
        "unread": conversation.is_unread,
        "created_at": conversation.created_at,
        "active_at": conversation.active_at,
        "options": conversation.options,
    }


def _is_generating(conversation: Conversation) -> bool:
    # The list annotates it, so that a page stays 2 queries.
    annotated = getattr(conversation, "is_generating", None)
    if annotated is not None:
        return bool(annotated)
    return Reply.objects.open().filter(message__conversation=conversation).exists()


def _message(message: Message) -> dict[str, Any]:
    reply: Reply | None = getattr(message, "reply", None)
    text = reply.text if reply else message.text
    return {
        "id": message.pk,
        "parent": message.parent_id,
        "role": message.role,
        "text": text,
        "html": render(text),
        "images": [_image(placed.image) for placed in message.messageimage_set.all()],
        "reply": _reply(reply) if reply else None,
        "created_at": message.created_at,
    }


def _image(image: Image) -> dict[str, Any]:
    return {
        "id": image.pk,
        "width": image.width_px,
        "height": image.height_px,
        "type": image.content_type,
    }


def _reply(reply: Reply) -> dict[str, Any]:
    return {
        "state": reply.state,
        "finish_reason": reply.finish_reason,
        "error_code": reply.error_code,
        "usage": reply.usage,
        "timings": reply.timings,
        "model": reply.model,
        "demo": reply.is_demo,
    }
