"""Conversations over HTTP: list and search, rename, pin, archive, delete, read."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.responses import codes_4xx
from pydantic import AfterValidator, ConfigDict, Field, StrictBool

from chat import access
from chat.api.auth import person
from chat.api.errors import ErrorOut
from chat.rendering import render
from chat.services import conversations

if TYPE_CHECKING:
    from chat.models import Conversation, Message, Reply

router = Router(tags=["conversations"])

MAX_QUERY_CHARS = 200
MAX_PAGE = 100_000


def _storable(text: str) -> str:
    """Refuse what neither PostgreSQL nor UTF-8 can hold."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("holds characters that are not text")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class ConversationOut(Schema):
    """A conversation's card."""

    id: uuid.UUID
    title: str
    pinned: bool
    archived: bool
    is_generating: bool
    created_at: datetime
    active_at: datetime


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


class ImageOut(Schema):
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
    images: list[ImageOut]
    reply: ReplyOut | None
    created_at: datetime


class MessageTreeOut(Schema):
    """All messages, oldest first; the shown branch ends at `leaf`."""

    leaf: uuid.UUID | None
    messages: list[MessageOut]


@router.get("/", response={200: ConversationPageOut, codes_4xx: ErrorOut})
def list_conversations(
    request: HttpRequest,
    q: Annotated[Text, Query(max_length=MAX_QUERY_CHARS)] = "",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> dict[str, Any]:
    """List one's conversations, or those whose title, questions or answers contain `q`."""
    found = conversations.page(person(request), query=q, number=page)
    return {
        "items": [_card(conversation) for conversation in found],
        "page": found.number,
        "pages": found.paginator.num_pages,
        "total": found.paginator.count,
    }


@router.patch("/{conversation_id}/", response={200: ConversationOut, codes_4xx: ErrorOut})
def change(
    request: HttpRequest, conversation_id: uuid.UUID, wanted: ConversationChange
) -> dict[str, Any]:
    """Rename, pin or archive a conversation."""
    conversation = access.conversation_for(person(request), conversation_id)
    if wanted.title is not None:  # first: it alone can be refused
        conversations.rename(conversation, wanted.title)
    if wanted.pinned is not None:
        conversations.set_pinned(conversation, is_pinned=wanted.pinned)
    if wanted.archived is not None:
        conversations.set_archived(conversation, is_archived=wanted.archived)
    return _card(conversation)


@router.delete("/{conversation_id}/", response={204: None, codes_4xx: ErrorOut})
def delete(request: HttpRequest, conversation_id: uuid.UUID) -> tuple[int, None]:
    """Delete a conversation with its messages; a reply being written is stopped."""
    conversations.delete(access.conversation_for(person(request), conversation_id))
    return 204, None


@router.get("/{conversation_id}/messages/", response={200: MessageTreeOut, codes_4xx: ErrorOut})
def list_messages(request: HttpRequest, conversation_id: uuid.UUID) -> dict[str, Any]:
    """Give a conversation's whole tree of messages: 5 queries for any length."""
    conversation = access.conversation_for(person(request), conversation_id)
    return {
        "leaf": conversation.leaf_id,
        "messages": [_message(message) for message in conversation.messages.for_transcript()],
    }
