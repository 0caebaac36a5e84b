"""Turns without a socket, and their versions."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.responses import codes_4xx, codes_5xx

from chat import access, rate_limits
from chat.api.auth import caller, person
from chat.api.errors import ErrorOut
from chat.api.frames import EDIT_BODY, MESSAGE_BODY, REGENERATE_BODY, read_frame
from chat.protocol import read_edit, read_message, read_regenerate
from chat.services import deletion, questions

router = Router(tags=["turns"])
versions = Router(tags=["turns"])


class TurnOut(Schema):
    """What was kept; its reply will come (see `/api/replies/{reply}/events/`)."""

    id: uuid.UUID | None = None
    conversation: uuid.UUID
    message: uuid.UUID
    reply: uuid.UUID
    title: str


class LeftOut(Schema):
    """Where a message was deleted; null where the whole conversation was."""

    conversation: uuid.UUID | None


TURN_RESPONSES: dict[Any, Any] = {202: TurnOut, codes_4xx: ErrorOut, codes_5xx: ErrorOut}


@versions.post("/messages/{message_id}/edit/", response=TURN_RESPONSES, openapi_extra=EDIT_BODY)
def edit(request: HttpRequest, message_id: uuid.UUID) -> Status[dict[str, Any]]:
    """Ask a question again, as a sibling; the body is an `edit` frame without type and message."""
    frame = read_frame(request, read_edit, message=str(message_id))
    rate_limits.spend_turn(caller(request), frame.images)
    return Status(202, questions.edit(person(request), frame).as_dict())


@versions.delete("/messages/{message_id}/", response={200: LeftOut, codes_4xx: ErrorOut})
def delete(request: HttpRequest, message_id: uuid.UUID) -> dict[str, Any]:
    """Delete a question or one version of an answer for good, with all that hangs on it.

    An answer without other versions goes with its question, and a conversation's only question
    with the conversation, which can be brought back for a while.
    """
    left = deletion.delete_message(access.message_for(person(request), message_id))
    return {"conversation": left and left.pk}


@versions.post(
    "/replies/{reply_id}/regenerate/", response=TURN_RESPONSES, openapi_extra=REGENERATE_BODY
)
def regenerate(request: HttpRequest, reply_id: uuid.UUID) -> Status[dict[str, Any]]:
    """Have the question of a reply answered once more, as a sibling."""
    frame = read_frame(request, read_regenerate, reply=str(reply_id))
    rate_limits.spend_turn(caller(request))
    return Status(202, questions.regenerate(person(request), frame).as_dict())


@router.post("/{conversation_id}/turns/", response=TURN_RESPONSES, openapi_extra=MESSAGE_BODY)
def in_conversation(request: HttpRequest, conversation_id: uuid.UUID) -> Status[dict[str, Any]]:
    """Start a turn in a conversation; the body is a `message` frame without its type."""
    return start_turn(request, conversation=str(conversation_id))


def start_turn(request: HttpRequest, *, conversation: str | None) -> Status[dict[str, Any]]:
    """Start the turn that the body asks for: here, or in a new conversation without an id."""
    frame = read_frame(request, read_message, conversation=conversation)
    rate_limits.spend_turn(caller(request), frame.images)
    return Status(202, questions.ask(person(request), frame).as_dict())
