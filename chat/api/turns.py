"""Turns without a socket."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.responses import codes_4xx, codes_5xx

from chat.api.auth import person
from chat.api.errors import ErrorOut
from chat.api.frames import MESSAGE_BODY, read_frame
from chat.protocol import read_message
from chat.services import questions

router = Router(tags=["turns"])


class TurnOut(Schema):
    """What was kept; its reply will come (see `/api/replies/{reply}/events/`)."""

    id: uuid.UUID | None = None
    conversation: uuid.UUID
    message: uuid.UUID
    reply: uuid.UUID
    title: str


TURN_RESPONSES: dict[Any, Any] = {202: TurnOut, codes_4xx: ErrorOut, codes_5xx: ErrorOut}


@router.post("/{conversation_id}/turns/", response=TURN_RESPONSES, openapi_extra=MESSAGE_BODY)
def in_conversation(request: HttpRequest, conversation_id: uuid.UUID) -> Status[dict[str, Any]]:
    """Start a turn in a conversation; the body is a `message` frame without its type."""
    return start_turn(request, conversation=str(conversation_id))


def start_turn(request: HttpRequest, *, conversation: str | None) -> Status[dict[str, Any]]:
    """Start the turn that the body asks for: here, or in a new conversation without an id."""
    frame = read_frame(request, read_message, conversation=conversation)
    return Status(202, questions.ask(person(request), frame).as_dict())
