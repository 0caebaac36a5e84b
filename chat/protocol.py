"""The wire contract as data: frames in, frames out, close codes (docs/protocol.md).

Knows JSON and the shapes of frames; knows no database, no socket and no settings. A frame from
the client that is not exactly of its shape raises `FrameError`.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from dataclasses import dataclass, field, fields
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, TypeAlias

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 1024 * 1024  # larger frames close the socket with 1009
MAX_PING_DEPTH = 32
MAX_PING_BYTES = 16 * 1024  # of the pong: a reader that takes nothing shall not make us keep more
MAX_OFFSET = 2**31 - 1

Json: TypeAlias = "dict[str, Any]"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class CloseCode(IntEnum):
    """Why the server closes a socket."""

    TOO_BIG = 1009
    RESTARTING = 1012
    SIGNED_OUT = 4401
    TOO_SLOW = 4408
    FLOODING = 4429


class Pixels(StrEnum):
    """How many pixels of a picture the model looks at."""

    FAST = "fast"
    BALANCED = "balanced"
    DETAIL = "detail"
    FULL = "full"


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


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What a client may choose for one reply; None leaves it to the server's settings."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    pixels: Pixels | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class MessageFrame:
    """`message`: start a turn."""

    text: str
    images: tuple[str, ...] = ()  # image ids or data URLs, in order
    conversation: uuid.UUID | None = None
    parent: uuid.UUID | None = None
    id: uuid.UUID | None = None
    options: TurnOptions = field(default_factory=TurnOptions)


@dataclass(frozen=True, slots=True)
class StopFrame:
    """`stop`: stop a reply, keeping its text up to `seen` when given."""

    reply: uuid.UUID
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class ResumeFrame:
    """`resume`: send what comes after `offset`, then go on live."""

    reply: uuid.UUID
    offset: int = 0


@dataclass(frozen=True, slots=True)
class OpenFrame:
    """`open`: send live text of this conversation here."""

    conversation: uuid.UUID


@dataclass(frozen=True, slots=True)
class CloseFrame:
    """`close`: no longer send live text of this conversation here."""

    conversation: uuid.UUID


@dataclass(frozen=True, slots=True)
class PingFrame:
    """`ping`: heartbeat; `t` comes back as it was."""

    t: Any = None


ClientFrame: TypeAlias = MessageFrame | StopFrame | ResumeFrame | OpenFrame | CloseFrame | PingFrame


def parse(text: str) -> ClientFrame:
    """Read one client frame.

    Raises:
        FrameError: not JSON, not an object, an unknown type, or a field of the wrong kind.
    """
    frame = decode(text)
    client_id = frame.get("id") if isinstance(frame.get("id"), str) else None
    kind = frame.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise FrameError(str(kind)[:40], is_unknown_type=True, client_id=client_id)
    try:
        parsed: ClientFrame = reader(frame)
    except FrameError as error:
        error.client_id = client_id
        raise
    return parsed


def decode(text: str) -> Json:
    """Read a JSON object that can also be written again.

    Raises:
        FrameError: it is something else.
    """
    try:
        frame = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise FrameError("it is not JSON") from error
    if not isinstance(frame, dict):
        raise FrameError("it is not a JSON object")
    return frame


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):  # 1e999 could be read, but not written again
        raise ValueError(digits)
    return number


def _text(frame: Json, name: str) -> str:
    value = frame.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FrameError(f"“{name}” must be a string")
    if "\x00" in value or _LONE_SURROGATE.search(value):
        # Neither PostgreSQL nor UTF-8 can hold these.
        raise FrameError(f"“{name}” holds characters that are not text")
    return value


def _uuid(frame: Json, name: str) -> uuid.UUID:
    value = _optional_uuid(frame, name)
    if value is None:
        raise FrameError(f"“{name}” is missing")
    return value


def _optional_uuid(frame: Json, name: str) -> uuid.UUID | None:
    value = frame.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return uuid.UUID(value)
        except ValueError:
            pass
    raise FrameError(f"“{name}” must be a UUID")


def _offset(frame: Json, name: str) -> int | None:
    value = frame.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_OFFSET:
        raise FrameError(f"“{name}” must be a whole number, 0 or more")
    return value


def _number(options: Json, name: str, *, kinds: tuple[type, ...], low: float, high: float) -> Any:
    value: Any = options.get(name)
    if value is None:
        return None
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise FrameError(f"“options.{name}” must be a number from {low:g} to {high:g}")
    return value


def _read_options(frame: Json) -> TurnOptions:
    options = frame.get("options")
    if options is None:
        return TurnOptions()
    if not isinstance(options, dict):
        raise FrameError("“options” must be an object")
    pixels = options.get("pixels")
    if pixels is not None and pixels not in list(Pixels):
        raise FrameError(f"“options.pixels” must be one of {', '.join(Pixels)}")
    real = (int, float)
    return TurnOptions(
        max_tokens=_number(options, "max_tokens", kinds=(int,), low=1, high=1_000_000),
        temperature=_number(options, "temperature", kinds=real, low=0, high=2),
        top_p=_number(options, "top_p", kinds=real, low=0, high=1),
        seed=_number(options, "seed", kinds=(int,), low=0, high=2**31 - 1),
        pixels=None if pixels is None else Pixels(pixels),
        model=_text(options, "model") or None,
    )


def read_message(frame: Json) -> MessageFrame:
    """Read the fields of a `message`.

    Raises:
        FrameError: one is of the wrong kind.
    """
    images = [] if frame.get("images") is None else frame["images"]
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise FrameError("“images” must be a list of image ids or data URLs")
    short = _text(frame, "image")
    return MessageFrame(
        text=_text(frame, "text"),
        images=(*images, short) if short else tuple(images),
        conversation=_optional_uuid(frame, "conversation"),
        parent=_optional_uuid(frame, "parent"),
        id=_optional_uuid(frame, "id"),
        options=_read_options(frame),
    )


def read_stop(frame: Json) -> StopFrame:
    """Read the fields of a `stop`.

    Raises:
        FrameError: one is of the wrong kind, or there is no reply.
    """
    return StopFrame(_uuid(frame, "reply"), _offset(frame, "seen"))


def _read_ping(frame: Json) -> PingFrame:
    if not _is_shallow(frame.get("t"), MAX_PING_DEPTH):
        raise FrameError(f"“t” is nested deeper than {MAX_PING_DEPTH} levels")
    ping = PingFrame(frame.get("t"))
    if len(PongFrame(t=ping.t).encode().encode()) > MAX_PING_BYTES:
        raise FrameError(f"“t” is longer than {MAX_PING_BYTES // 1024} KiB")
    return ping


def _is_shallow(value: Any, depth: int) -> bool:
    """Say whether what came in can also go out: the writer's recursion limit is lower."""
    inner = list(value.values()) if isinstance(value, dict) else value
    return not isinstance(inner, list) or (
        depth > 0 and all(_is_shallow(item, depth - 1) for item in inner)
    )


_READERS: dict[str, Any] = {
    "message": read_message,
    "stop": read_stop,
    "resume": lambda frame: ResumeFrame(_uuid(frame, "reply"), _offset(frame, "offset") or 0),
    "open": lambda frame: OpenFrame(_uuid(frame, "conversation")),
    "close": lambda frame: CloseFrame(_uuid(frame, "conversation")),
    "ping": _read_ping,
}
CLIENT_FRAME_TYPES = tuple(_READERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFrame:
    """A frame to the client; fields that are None are left out."""

    type: ClassVar[str]

    def encode(self) -> str:
        """Write the frame as JSON text."""
        text = json.dumps(self.as_dict(), ensure_ascii=False, default=str)
        # A client's lone surrogate, echoed, cannot be sent as UTF-8: escape it as it came.
        return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    def as_dict(self) -> Json:
        """Give the frame as a JSON-ready dict with its `type` first."""
        present = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"type": self.type} | {k: v for k, v in present.items() if v is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoFrame(ServerFrame):
    """`info`: first frame of every socket, and again when another model takes over."""

    type: ClassVar[str] = "info"
    content: str
    model: str
    demo: bool
    limits: Json
    protocol: int = PROTOCOL_VERSION
    # {phase, upcoming, done, total, message}: the model's own state, for the page's banner.
    state: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedFrame(ServerFrame):
    """`accepted`: the turn is kept; its reply will come."""

    type: ClassVar[str] = "accepted"
    id: uuid.UUID | None
    conversation: uuid.UUID
    message: uuid.UUID
    reply: uuid.UUID
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFrame(ServerFrame):
    """`status`: the stage of a reply; `done` of `total` in the stage's own unit."""

    type: ClassVar[str] = "status"
    reply: uuid.UUID
    stage: str
    position: int | None = None
    done: int | None = None
    total: int | None = None
    eta_s: float | None = None
    resumed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialFrame(ServerFrame):
    """`partial`: the text that starts at `offset` code points."""

    type: ClassVar[str] = "partial"
    reply: uuid.UUID
    offset: int
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalFrame(ServerFrame):
    """`final`: the whole text as the database holds it."""

    type: ClassVar[str] = "final"
    reply: uuid.UUID
    conversation: uuid.UUID
    content: str
    html: str
    finish_reason: str
    usage: Json
    timings: Json
    model: str
    sha256: str
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFrame(ServerFrame):
    """`error`: what went wrong, and with what."""

    type: ClassVar[str] = "error"
    code: str
    content: str
    id: str | None = None
    reply: uuid.UUID | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFrame(ServerFrame):
    """`conversation`: a card of the sidebar, new or changed."""

    type: ClassVar[str] = "conversation"
    conversation: uuid.UUID
    title: str
    active_at: str
    is_generating: bool
    is_deleted: bool = False
    # The newest turn, so that another tab can load what it has not seen.
    message: uuid.UUID | None = None
    reply: uuid.UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PongFrame(ServerFrame):
    """`pong`: the ping's `t`."""

    type: ClassVar[str] = "pong"
    t: Any
