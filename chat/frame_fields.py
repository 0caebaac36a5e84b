"""Readers of a client frame's fields: JSON in, plain values out.

Each takes the frame and the field's name, and gives None, or what its text says, when it is absent.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from typing import Any, TypeAlias

MAX_OFFSET = 2**31 - 1
MAX_DEPTH = 64  # of lists and objects within each other; a ping's value may have 32
# A whole string, whatever brackets are in it, or one bracket.
_STRUCTURE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)

Json: TypeAlias = "dict[str, Any]"
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class FrameError(Exception):
    """A frame that is not of its shape; `is_unknown_type` when only its type is."""

    def __init__(
        self, detail: str, *, is_unknown_type: bool = False, client_id: str | None = None
    ) -> None:
        """Keep what is wrong, for people who write clients."""
        super().__init__(detail)
        self.detail = detail
        self.is_unknown_type = is_unknown_type
        self.client_id = client_id


def decode(text: str) -> Json:
    """Read a JSON object that can also be written again.

    Raises:
        FrameError: it is something else, or nested deeper than `MAX_DEPTH`.
    """
    check_depth(text)
    try:
        frame = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except ValueError as error:
        raise FrameError("it is not JSON") from error
    if not isinstance(frame, dict):
        raise FrameError("it is not a JSON object")
    return frame


def check_depth(text: str) -> None:
    """Refuse what Python's reader would follow down until its stack ends; linear in the text.

    Raises:
        FrameError: lists and objects lie deeper than `MAX_DEPTH` within each other.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return  # nearly all there is
    depth = 0
    for found in _STRUCTURE.finditer(text):
        if found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth -= 1
        if depth > MAX_DEPTH:
            raise FrameError(f"it is nested deeper than {MAX_DEPTH} levels")


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):  # 1e999 could be read, but not written again
        raise ValueError(digits)
    return number


def text_of(frame: Json, name: str) -> str:
    """Read a string, empty when it is absent.

    Raises:
        FrameError: it is something else.
    """
    value = frame.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FrameError(f"“{name}” must be a string")
    if "\x00" in value or LONE_SURROGATE.search(value):
        # Neither PostgreSQL nor UTF-8 can hold these.
        raise FrameError(f"“{name}” holds characters that are not text")
    return value


def uuid_of(frame: Json, name: str) -> uuid.UUID:
    """Read a UUID that has to be there.

    Raises:
        FrameError: it is something else.
    """
    value = optional_uuid_of(frame, name)
    if value is None:
        raise FrameError(f"“{name}” is missing")
    return value


def optional_uuid_of(frame: Json, name: str) -> uuid.UUID | None:
    """Read a UUID.

    Raises:
        FrameError: it is something else.
    """
    value = frame.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return uuid.UUID(value)
        except ValueError:
            pass
    raise FrameError(f"“{name}” must be a UUID")


def offset_of(frame: Json, name: str) -> int | None:
    """Read a number of code points.

    Raises:
        FrameError: it is something else.
    """
    value = frame.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_OFFSET:
        raise FrameError(f"“{name}” must be a whole number, 0 or more")
    return value


def number_of(options: Json, name: str, *, kinds: tuple[type, ...], low: float, high: float) -> Any:
    """Read a number within bounds; `options` is the frame's object of that name.

    Raises:
        FrameError: it is something else.
    """
    value: Any = options.get(name)
    if value is None:
        return None
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise FrameError(f"“options.{name}” must be a number from {low:g} to {high:g}")
    return value


def images_of(frame: Json) -> tuple[str, ...] | None:
    """Read a list of image ids or data URLs.

    Raises:
        FrameError: it is something else.
    """
    images = frame.get("images")
    if images is None:
        return None
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise FrameError("“images” must be a list of image ids or data URLs")
    return tuple(images)
