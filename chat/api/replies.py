"""Replies without a socket: follow one as Server-Sent Events, stop it, judge it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import translation
from ninja import Query, Router, Schema, Status
from ninja.params.functions import Header
from ninja.responses import codes_4xx
from pydantic import ConfigDict, Field

from chat import access, rate_limits
from chat.api.auth import caller, credential, person
from chat.api.errors import ErrorOut
from chat.api.frames import STOP_BODY, read_frame
from chat.api.texts import Text
from chat.api.turns import TURN_RESPONSES
from chat.generation import continuing, following, local
from chat.models import Feedback
from chat.models.feedback import COMMENT_MAX_CHARS
from chat.protocol import MAX_OFFSET, ContinueFrame, read_stop
from chat.rendering import render_complete
from chat.reply_cursor import ReplyCursor
from chat.reply_stream import ReplyStream, Session
from chat.services import feedback
from chat.shares import rendering_shares

router = Router(tags=["replies"])

LAST_EVENT_ID: Any = Header(None, alias="Last-Event-ID", ge=0, le=MAX_OFFSET)
EVENTS = {
    "responses": {
        200: {
            "description": "the reply's frames from the offset on, to its end",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
}


class Place(Schema):
    """Where in the reply's text to begin."""

    offset: int = Field(0, ge=0, le=MAX_OFFSET)


class Part(Schema):
    """A part of the reply's text: it begins where a block does, and is known up to `until`."""

    offset: int = Field(0, ge=0, le=MAX_OFFSET)
    until: int = Field(MAX_OFFSET, ge=0, le=MAX_OFFSET)


class BlocksOut(Schema):
    """The text from `offset` up to `end`, rendered and sanitised; nothing, where both are equal."""

    offset: int
    end: int
    html: str


class Judgement(Schema):
    """What one thinks of an answer."""

    model_config = ConfigDict(extra="forbid")

    value: Literal[1, -1]
    comment: Text = Field("", max_length=COMMENT_MAX_CHARS)


@router.get("/{reply_id}/events/", response={codes_4xx: ErrorOut}, openapi_extra=EVENTS)
def follow(
    request: HttpRequest,
    reply_id: uuid.UUID,
    place: Query[Place],
    last_event_id: Annotated[int | None, LAST_EVENT_ID] = None,
) -> StreamingHttpResponse:
    """Follow a reply as Server-Sent Events; `Last-Event-ID` goes before `offset`."""
    user = person(request)
    reply = access.reply_for(user, reply_id)
    session = Session(key=credential(request), user_id=user.pk, language=translation.get_language())
    cursor = ReplyCursor(
        user,
        reply.pk,
        offset=place.offset if last_event_id is None else last_event_id,
        language=session.language,
    )
    response = StreamingHttpResponse(
        ReplyStream(cursor, session).events(), content_type="text/event-stream"
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # a proxy hands events on as they come
    return response


@router.get("/{reply_id}/blocks/", response={200: BlocksOut, codes_4xx: ErrorOut})
def blocks(request: HttpRequest, reply_id: uuid.UUID, part: Query[Part]) -> BlocksOut:
    """Render the blocks of a part that no further text can change."""
    user = person(request)
    reply = access.reply_for(user, reply_id)
    with rendering_shares.taking(user.pk):
        text = following.written_text(reply, part.offset)[: max(0, part.until - part.offset)]
        chars, html = render_complete(text)
    return BlocksOut(offset=part.offset, end=part.offset + chars, html=html)


@router.post("/{reply_id}/continue/", response=TURN_RESPONSES)
def go_on(request: HttpRequest, reply_id: uuid.UUID) -> Status[dict[str, Any]]:
    """Go on with a reply that was stopped or ran into a limit."""
    rate_limits.spend_turn(caller(request))
    accepted = continuing.continue_reply(person(request), ContinueFrame(reply_id))
    return Status(202, accepted.as_dict())


@router.post(
    "/{reply_id}/stop/", response={202: None, codes_4xx: ErrorOut}, openapi_extra=STOP_BODY
)
def stop(request: HttpRequest, reply_id: uuid.UUID) -> Status[Any]:
    """Stop a reply, keeping its text up to `seen` if given; stopping twice changes nothing."""
    frame = read_frame(request, read_stop, reply=str(reply_id))
    local.stop(person(request), frame.reply, seen_offset=frame.seen)
    return Status(202, None)


@router.post("/{reply_id}/feedback/", response={204: None, codes_4xx: ErrorOut})
def judge(request: HttpRequest, reply_id: uuid.UUID, judgement: Judgement) -> Status[None]:
    """Say what one thinks of an answer, in the place of what one said before."""
    reply = access.reply_for(person(request), reply_id)
    feedback.give(reply, Feedback.Value(judgement.value), judgement.comment)
    return Status(204, None)


@router.delete("/{reply_id}/feedback/", response={204: None, codes_4xx: ErrorOut})
def withdraw_judgement(request: HttpRequest, reply_id: uuid.UUID) -> Status[None]:
    """Take back what one said of an answer; where nothing was said, nothing happens."""
    feedback.withdraw(access.reply_for(person(request), reply_id))
    return Status(204, None)
