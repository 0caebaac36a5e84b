"""The wire contract as data: frames in, frames out, close codes (docs/protocol.md).

Knows JSON and the shapes of frames; knows no database, no socket and no settings. A frame from
the client that is not exactly of its shape raises `FrameError`.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar, TypeAlias

from chat.frame_fields import (
    LONE_SURROGATE,
    MAX_OFFSET,
    FrameError,
    Json,
    decode,
    images_of,
    offset_of,
    optional_uuid_of,
    text_of,
    uuid_of,
)
from chat.turn_options import Pixels, TurnOptions, read_options

__all__ = ["MAX_OFFSET", "FrameError", "Json", "Pixels", "TurnOptions", "decode", "read_options"]

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 1024 * 1024  # larger frames close the socket with 1009
MAX_PING_DEPTH = 32
MAX_PING_BYTES = 16 * 1024  # of the pong: a reader that takes nothing shall not make us keep more


class CloseCode(IntEnum):
    """Why the server closes a socket."""

    TOO_BIG = 1009
    RESTARTING = 1012
    SIGNED_OUT = 4401
    TOO_SLOW = 4408
    FLOODING = 4429


@dataclass(frozen=True, slots=True)
class MessageFrame:
    """`message`: start a turn."""

    text: str
    images: tuple[str, ...] = ()  # image ids or data URLs, in order
    conversation: uuid.UUID | None = None
    parent: uuid.UUID | None = None
    id: uuid.UUID | None = None
    options: TurnOptions = field(default_factory=TurnOptions)
    conversation_options: TurnOptions | None = None  # what a new conversation keeps


@dataclass(frozen=True, slots=True)
class RegenerateFrame:
    """`regenerate`: another reply to the same question, as a sibling."""

    reply: uuid.UUID
    options: TurnOptions = field(default_factory=TurnOptions)


@dataclass(frozen=True, slots=True)
class EditFrame:
    """`edit`: the question again with another text, as a sibling."""

    message: uuid.UUID
    text: str
    images: tuple[str, ...] | None = None  # None: those of the question
    id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class ContinueFrame:
    """`continue`: go on with a reply that was stopped or ran into a limit."""

    reply: uuid.UUID


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


ClientFrame: TypeAlias = (
    MessageFrame
    | RegenerateFrame
    | EditFrame
    | ContinueFrame
    | StopFrame
    | ResumeFrame
    | OpenFrame
    | CloseFrame
    | PingFrame
)


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


def read_message(frame: Json) -> MessageFrame:
    """Read the fields of a `message`.

    Raises:
        FrameError: one is of the wrong kind.
    """
    images = images_of(frame) or ()
    short = text_of(frame, "image")
    return MessageFrame(
        text=text_of(frame, "text"),
        images=(*images, short) if short else images,
        conversation=optional_uuid_of(frame, "conversation"),
        parent=optional_uuid_of(frame, "parent"),
        id=optional_uuid_of(frame, "id"),
        options=read_options(frame),
        conversation_options=(
            None
            if frame.get("conversation_options") is None
            else read_options(frame, "conversation_options")
        ),
    )


def read_edit(frame: Json) -> EditFrame:
    """Read the fields of an `edit`.

    Raises:
        FrameError: one is of the wrong kind, or there is no message.
    """
    return EditFrame(
        message=uuid_of(frame, "message"),
        text=text_of(frame, "text"),
        images=images_of(frame),
        id=optional_uuid_of(frame, "id"),
    )


def read_regenerate(frame: Json) -> RegenerateFrame:
    """Read the fields of a `regenerate`.

    Raises:
        FrameError: one is of the wrong kind, or there is no reply.
    """
    return RegenerateFrame(uuid_of(frame, "reply"), read_options(frame))


def read_stop(frame: Json) -> StopFrame:
    """Read the fields of a `stop`.

    Raises:
        FrameError: one is of the wrong kind, or there is no reply.
    """
    return StopFrame(uuid_of(frame, "reply"), offset_of(frame, "seen"))


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
    "regenerate": read_regenerate,
    "edit": read_edit,
    "continue": lambda frame: ContinueFrame(uuid_of(frame, "reply")),
    "stop": read_stop,
    "resume": lambda frame: ResumeFrame(uuid_of(frame, "reply"), offset_of(frame, "offset") or 0),
    "open": lambda frame: OpenFrame(uuid_of(frame, "conversation")),
    "close": lambda frame: CloseFrame(uuid_of(frame, "conversation")),
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
        return LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

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
    options: Json | None = None  # what the server chooses where nobody else does
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
    is_unread: bool = False
    is_pinned: bool = False
    is_archived: bool = False
    is_deleted: bool = False
    options: Json | None = None  # those of the conversation, as its panel shows them
    # The newest turn, so that another tab can load what it has not seen.
    message: uuid.UUID | None = None
    reply: uuid.UUID | None = None
    # The message that was just deleted, with all that hung on it.
    deleted_message: uuid.UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PongFrame(ServerFrame):
    """`pong`: the ping's `t`."""

    type: ClassVar[str] = "pong"
    t: Any
