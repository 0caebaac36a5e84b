"""Bodies of HTTP calls that are frames of the socket without their type: the same reader, limits.

What OpenAPI says of such a body is written here, since no schema of the API's own reads it.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from django.core.exceptions import RequestDataTooBig
from ninja.parser import Parser
from pydantic import WithJsonSchema

from chat import protocol
from chat.errors import ChatError, ErrorCode
from chat.frame_fields import check_depth
from chat.protocol import Pixels, TurnOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from chat.protocol import Json

Frame = TypeVar("Frame")

_UUID = {"type": "string", "format": "uuid"}
_OPTION_TYPES: dict[str, dict[str, Any]] = {
    "max_tokens": {"type": "integer", "minimum": 1},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "seed": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "pixels": {"type": "string", "enum": list(Pixels)},
    "presence_penalty": {"type": "number", "minimum": -2, "maximum": 2},
}


def body_of(*, required: bool, **properties: dict[str, Any]) -> dict[str, Any]:
    """Describe a JSON body for OpenAPI."""
    schema = {"type": "object", "properties": properties}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}


_TEXT = {"type": "string"}
_IMAGES = {"type": "array", "items": _TEXT, "description": "ids or data URLs"}
_CLIENT_ID = _UUID | {"description": "made by the client: the same id again starts nothing"}
_OPTIONS = {
    "type": "object",
    "properties": {
        option.name: _OPTION_TYPES.get(option.name, _TEXT) for option in fields(TurnOptions)
    },
}
OptionsIn = Annotated[dict[str, Any], WithJsonSchema(_OPTIONS)]
"""Options in a body of which they are a part; `read_chosen` reads them as a frame's."""
MESSAGE_BODY = body_of(
    required=True,
    text=_TEXT,
    images=_IMAGES,
    image={"type": "string", "description": "one data URL more"},
    parent=_UUID,
    id=_CLIENT_ID,
    options=_OPTIONS,
    conversation_options=_OPTIONS | {"description": "what a new conversation keeps"},
)
EDIT_BODY = body_of(required=True, text=_TEXT, images=_IMAGES, id=_CLIENT_ID)
REGENERATE_BODY = body_of(required=False, options=_OPTIONS)
STOP_BODY = body_of(
    required=False, seen={"type": "integer", "minimum": 0, "description": "keep the text up to it"}
)


def read_chosen(options: dict[str, Any]) -> TurnOptions:
    """Read options as those of a frame.

    Raises:
        ChatError: bad_frame.
    """
    try:
        return protocol.read_options({"options": options})
    except protocol.FrameError as error:
        raise ChatError(ErrorCode.BAD_FRAME, detail=error.detail) from error


class BodyParser(Parser):
    """Reads JSON bodies with the bound on depth that frames have; ninja answers 400."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Read a body.

        Raises:
            FrameError: nested too deep.
            ValueError: not JSON, or not UTF-8.
        """
        text = request.body.decode()
        check_depth(text)
        parsed: dict[str, Any] = json.loads(text)
        return parsed


def read_frame(request: HttpRequest, reader: Callable[[Json], Frame], **fixed: str | None) -> Frame:
    """Read the body by a frame's reader; what is `fixed` stands in the address.

    Raises:
        ChatError: bad_frame.
    """
    try:
        body = request.body
        if len(body) > protocol.MAX_FRAME_BYTES:
            raise RequestDataTooBig
        return reader(protocol.decode(body.decode() or "{}") | fixed)
    except RequestDataTooBig as error:
        raise ChatError(ErrorCode.BAD_FRAME, detail="it is over 1 MiB") from error
    except UnicodeDecodeError as error:
        raise ChatError(ErrorCode.BAD_FRAME, detail="it is not UTF-8") from error
    except protocol.FrameError as error:
        raise ChatError(ErrorCode.BAD_FRAME, detail=error.detail) from error
