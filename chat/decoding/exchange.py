"""What the server and the process of one picture say to each other: a head in JSON, then bytes.

The answer comes from a process that a hostile picture may have taken over, so nothing in it is
trusted beyond its form: no pickle, lengths are bounded, and it can only tell about its own picture.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from chat.decoding.picture import DecodedPicture
from chat.errors import ChatError, ErrorCode

if TYPE_CHECKING:
    from io import BufferedRWPair, BytesIO
    from typing import Any, TypeAlias

    Stream: TypeAlias = BufferedRWPair[Any, Any] | BytesIO
    PageSizes: TypeAlias = list[tuple[int, int]]  # width and height in pixels

_LENGTH = struct.Struct(">I")
_PAGE_SIZE = struct.Struct(">II")
_MAX_HEAD_BYTES = 4096
_REFUSALS = (
    ErrorCode.IMAGE_UNREADABLE,
    ErrorCode.IMAGE_TOO_LARGE,
    ErrorCode.IMAGE_TYPE_UNSUPPORTED,
    ErrorCode.DOCUMENT_UNREADABLE,
    ErrorCode.DOCUMENT_LOCKED,
    ErrorCode.DOCUMENT_TOO_LONG,
)
_CONTENT_TYPES = ("image/jpeg", "image/png")


class BadAnswerError(Exception):
    """The process of a picture ended early, or said what no sound one says."""


class Task(StrEnum):
    """What is wanted of the uploaded bytes."""

    PICTURE = "picture"
    PAGE_SIZES = "page_sizes"  # of a document
    PAGE = "page"  # one of a document's, as a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a picture, or a document, is to be decoded."""

    max_pixels: int  # of the picture, or of each page
    thumbnail_px: int
    memory_bytes: int  # of the process's address space
    cpu_s: int
    task: Task = Task.PICTURE
    max_pages: int = 0
    page: int = 0  # counted from 1


def write_order(stream: Stream, order: Order, content: bytes) -> None:
    """Write the order and the uploaded bytes."""
    _write(stream, asdict(order), content)


def read_order(stream: Stream) -> Order:
    """Read an order; the uploaded bytes follow it, up to the end of the stream."""
    fields = _read_head(stream)
    return Order(**{**fields, "task": Task(fields["task"])})


def write_picture(stream: Stream, picture: DecodedPicture) -> None:
    """Write what came out."""
    head = {
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "content_type": picture.content_type,
        "content_bytes": len(picture.content),
    }
    _write(stream, head, picture.content, picture.thumbnail)


def write_page_sizes(stream: Stream, sizes: PageSizes) -> None:
    """Write the width and height of each page in pixels."""
    _write(stream, {"pages": len(sizes)}, b"".join(_PAGE_SIZE.pack(*size) for size in sizes))


def write_refusal(stream: Stream, error: ChatError) -> None:
    """Write why nothing came out."""
    _write(stream, {"refused": error.code, "limit": str(error.limit)})


def read_answer(stream: Stream, *, max_bytes: int) -> DecodedPicture:
    """Read what `write_picture` or `write_refusal` wrote, with at most `max_bytes` of pictures.

    Raises:
        ChatError: the refusal.
        BadAnswerError: neither of them.
    """
    head = _read_accepted(stream)
    body = stream.read(max_bytes + 1)
    try:
        cut = int(head["content_bytes"])
        picture = DecodedPicture(
            width_px=int(head["width_px"]),
            height_px=int(head["height_px"]),
            content_type=str(head["content_type"]),
            content=body[:cut],
            thumbnail=body[cut:],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswerError from error
    is_sound = (
        0 < cut < len(body) <= max_bytes
        and min(picture.width_px, picture.height_px) > 0
        and picture.content_type in _CONTENT_TYPES
    )
    if not is_sound:
        raise BadAnswerError
    return picture


def read_page_sizes(stream: Stream, *, max_pages: int) -> PageSizes:
    """Read what `write_page_sizes` or `write_refusal` wrote.

    Raises:
        ChatError: the refusal.
        BadAnswerError: neither of them, or not 1 to `max_pages` pages.
    """
    head = _read_accepted(stream)
    body = stream.read(max_pages * _PAGE_SIZE.size + 1)
    sizes = list(_PAGE_SIZE.iter_unpack(body)) if len(body) % _PAGE_SIZE.size == 0 else []
    is_sound = 0 < len(sizes) <= max_pages and len(sizes) == head.get("pages")
    if not is_sound or not all(width and height for width, height in sizes):
        raise BadAnswerError
    return sizes


def _read_accepted(stream: Stream) -> dict[str, Any]:
    head = _read_head(stream)
    if "refused" in head:
        raise _refusal(head)
    return head


def _refusal(head: dict[str, Any]) -> Exception:
    if head["refused"] not in _REFUSALS:
        return BadAnswerError()
    return ChatError(ErrorCode(str(head["refused"])), limit=str(head.get("limit", ""))[:40])


def _write(stream: Stream, head: dict[str, Any], *bodies: bytes) -> None:
    encoded = json.dumps(head).encode()
    stream.write(_LENGTH.pack(len(encoded)) + encoded)
    for body in bodies:
        stream.write(body)
    stream.flush()


def _read_head(stream: Stream) -> dict[str, Any]:
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size or (size := _LENGTH.unpack(length)[0]) > _MAX_HEAD_BYTES:
        raise BadAnswerError
    try:
        head = json.loads(stream.read(size))
    except ValueError as error:
        raise BadAnswerError from error
    if not isinstance(head, dict):
        raise BadAnswerError
    return head
