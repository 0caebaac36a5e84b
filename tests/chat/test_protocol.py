"""The frames: each is read and written as the contract says, and anything else is refused."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import protocol
from chat.protocol import (
    AcceptedFrame,
    CloseFrame,
    ConversationFrame,
    ErrorFrame,
    FinalFrame,
    FrameError,
    InfoFrame,
    MessageFrame,
    OpenFrame,
    PartialFrame,
    PingFrame,
    Pixels,
    PongFrame,
    ResumeFrame,
    StatusFrame,
    StopFrame,
    TurnOptions,
    parse,
)

ID = uuid.UUID("11111111-2222-4333-8444-555555555555")
OTHER = uuid.UUID("66666666-7777-4888-9999-000000000000")
OPTIONS = {
    "max_tokens": 64,
    "temperature": 0.5,
    "top_p": 1,
    "seed": 7,
    "pixels": "detail",
    "model": "demo",
}

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "text", "images", "image", "conversation", "parent", "id", "options",
    "reply", "seen", "offset", "t",
)  # fmt: skip
FRAMES = st.builds(
    lambda kind, frame: {**frame, "type": kind},
    st.sampled_from(protocol.CLIENT_FRAME_TYPES),
    st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES),
)


@pytest.mark.parametrize(
    ("frame", "read"),
    [
        pytest.param(
            {"type": "message", "text": "Hi"}, MessageFrame(text="Hi"), id="message, shortest"
        ),
        pytest.param(
            {
                "type": "message",
                "text": "Hi",
                "images": [str(OTHER)],
                "image": "data:image/png;base64,AAAA",
                "conversation": str(ID),
                "parent": str(OTHER),
                "id": str(ID),
                "options": OPTIONS,
            },
            MessageFrame(
                text="Hi",
                images=(str(OTHER), "data:image/png;base64,AAAA"),
                conversation=ID,
                parent=OTHER,
                id=ID,
                options=TurnOptions(64, 0.5, 1, 7, Pixels.DETAIL, "demo"),
            ),
            id="message, everything",
        ),
        pytest.param(
            {"type": "message", "text": "Hi", "images": None, "image": None, "options": None},
            MessageFrame(text="Hi"),
            id="null is absent",
        ),
        pytest.param({"type": "stop", "reply": str(ID)}, StopFrame(ID), id="stop"),
        pytest.param(
            {"type": "stop", "reply": str(ID), "seen": 0}, StopFrame(ID, 0), id="stop, seen nothing"
        ),
        pytest.param({"type": "resume", "reply": str(ID)}, ResumeFrame(ID, 0), id="resume"),
        pytest.param(
            {"type": "resume", "reply": str(ID), "offset": 9}, ResumeFrame(ID, 9), id="resume at 9"
        ),
        pytest.param({"type": "open", "conversation": str(ID)}, OpenFrame(ID), id="open"),
        pytest.param({"type": "close", "conversation": str(ID)}, CloseFrame(ID), id="close"),
        pytest.param({"type": "ping"}, PingFrame(None), id="ping"),
        pytest.param({"type": "ping", "t": {"a": [1]}}, PingFrame({"a": [1]}), id="ping, any t"),
        pytest.param({"type": "ping", "new": "field"}, PingFrame(None), id="unknown fields"),
    ],
)
def test_a_frame_of_its_shape_is_read(frame: dict[str, Any], read: object) -> None:
    assert parse(json.dumps(frame)) == read


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("text", 7, id="text is a number"),
        pytest.param("text", ["Hi"], id="text is a list"),
        pytest.param("text", "a\x00", id="NUL"),
        pytest.param("text", "\ud800", id="lone surrogate"),
        pytest.param("images", "x", id="images is a string"),
        pytest.param("images", 0, id="images is zero"),
        pytest.param("images", {}, id="images is an object"),
        pytest.param("images", [None], id="an image is null"),
        pytest.param("image", 5, id="image is a number"),
        pytest.param("id", "mine", id="id is no UUID"),
        pytest.param("id", 5, id="id is a number"),
        pytest.param("conversation", "x", id="conversation is no UUID"),
        pytest.param("parent", [], id="parent is a list"),
        pytest.param("options", "fast", id="options is a string"),
    ],
)
def test_a_message_field_of_another_kind_is_refused(field: str, value: object) -> None:
    frame = {"type": "message", "text": "Hi", field: value}

    with pytest.raises(FrameError, match=field):
        parse(json.dumps(frame))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        pytest.param("max_tokens", 0, id="no tokens"),
        pytest.param("max_tokens", 1.5, id="half a token"),
        pytest.param("max_tokens", True, id="true is no number"),
        pytest.param("temperature", -0.1, id="too cold"),
        pytest.param("temperature", 2.1, id="too hot"),
        pytest.param("temperature", "1", id="a string"),
        pytest.param("top_p", 1.01, id="top_p over 1"),
        pytest.param("seed", -1, id="seed below 0"),
        pytest.param("seed", 2**31, id="seed over 31 bits"),
        pytest.param("pixels", "all", id="unknown pixels"),
        pytest.param("pixels", ["fast"], id="pixels is a list"),
        pytest.param("model", 1, id="model is a number"),
        pytest.param("model", "\x00", id="model is NUL"),
    ],
)
def test_an_option_out_of_range_is_refused(option: str, value: object) -> None:
    frame = {"type": "message", "text": "Hi", "options": {option: value}}

    with pytest.raises(FrameError, match=option):
        parse(json.dumps(frame))


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param({"type": "stop"}, id="stop without reply"),
        pytest.param({"type": "stop", "reply": str(ID), "seen": -1}, id="seen below 0"),
        pytest.param({"type": "stop", "reply": str(ID), "seen": True}, id="seen is true"),
        pytest.param({"type": "stop", "reply": str(ID), "seen": 2**31}, id="seen is huge"),
        pytest.param({"type": "resume", "offset": 1}, id="resume without reply"),
        pytest.param({"type": "resume", "reply": str(ID), "offset": "1"}, id="offset is text"),
        pytest.param({"type": "open"}, id="open without conversation"),
        pytest.param({"type": "close", "conversation": 1}, id="close of a number"),
    ],
)
def test_a_frame_not_of_its_shape_is_refused(frame: dict[str, Any]) -> None:
    with pytest.raises(FrameError) as caught:
        parse(json.dumps(frame))

    assert not caught.value.is_unknown_type


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param('{"type":"ping","t":NaN}', id="NaN"),
        pytest.param('{"type":"ping","t":-Infinity}', id="Infinity"),
        pytest.param('{"type":"ping","t":1e999}', id="a number beyond all floats"),
        pytest.param("[" * 100_000, id="deep nesting"),
        pytest.param('{"type":"ping","t":' + "9" * 5000 + "}", id="a number of 5,000 digits"),
    ],
)
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(FrameError) as caught:
        parse(text)

    assert not caught.value.is_unknown_type


@pytest.mark.parametrize("kind", ["receive", "__class__", "", None, 3, ["stop"], {"a": 1}])
def test_an_unknown_type_is_told_apart(kind: object) -> None:
    with pytest.raises(FrameError) as caught:
        parse(json.dumps({"type": kind, "id": "mine"}))

    assert caught.value.is_unknown_type
    assert caught.value.client_id == "mine"


def test_a_refused_frame_keeps_the_clients_id() -> None:
    with pytest.raises(FrameError) as caught:
        parse(json.dumps({"type": "message", "text": 7, "id": "mine"}))

    assert caught.value.client_id == "mine"


def test_a_ping_as_long_as_allowed_comes_back_and_a_longer_one_is_refused() -> None:
    """Its echo is kept for a reader that takes nothing."""
    longest = "x" * (protocol.MAX_PING_BYTES - len(PongFrame(t="").encode()))

    assert parse(json.dumps({"type": "ping", "t": longest})) == PingFrame(longest)
    with pytest.raises(FrameError, match="longer than 16 KiB"):
        parse(json.dumps({"type": "ping", "t": longest + "x"}))


def test_a_ping_as_deep_as_allowed_comes_back_and_a_deeper_one_is_refused() -> None:
    """A deep `t` could once be read but not written, and took the socket with it."""

    def nested(depth: int) -> str:
        return '{"type":"ping","t":' + "[" * depth + "]" * depth + "}"

    deepest = parse(nested(protocol.MAX_PING_DEPTH))

    assert isinstance(deepest, PingFrame)
    assert PongFrame(t=deepest.t).encode()
    with pytest.raises(FrameError, match="nested"):
        parse(nested(protocol.MAX_PING_DEPTH + 1))


def read_or_refused(text: str) -> object:
    """Read a frame, or give the error that a client gets."""
    try:
        return parse(text)
    except FrameError as error:
        return error


@given(st.text() | JSON_VALUES.map(json.dumps))
def test_no_text_raises_anything_but_a_frame_error(text: str) -> None:
    result = read_or_refused(text)

    assert isinstance(result, FrameError)
    assert isinstance(result.detail, str)


@given(FRAMES)
def test_no_frame_raises_anything_but_a_frame_error(frame: dict[str, Any]) -> None:
    result = read_or_refused(json.dumps(frame))

    assert isinstance(result, CLIENT_FRAMES[frame["type"]] | FrameError)


CLIENT_FRAMES: dict[str, type] = {
    "message": MessageFrame,
    "regenerate": protocol.RegenerateFrame,
    "edit": protocol.EditFrame,
    "continue": protocol.ContinueFrame,
    "stop": StopFrame,
    "resume": ResumeFrame,
    "open": OpenFrame,
    "close": CloseFrame,
    "ping": PingFrame,
}


@given(JSON_VALUES)
def test_a_ping_comes_back_as_it_was(value: object) -> None:
    frame = parse(json.dumps({"type": "ping", "t": value}))

    assert isinstance(frame, PingFrame)
    pong = PongFrame(t=frame.t).encode().encode()  # to bytes, as the server sends it
    assert json.loads(pong).get("t") == value


@pytest.mark.parametrize(
    ("frame", "fields"),
    [
        pytest.param(
            InfoFrame(content="c", model="m", demo=False, limits={"text_chars": 1}),
            {"content", "model", "demo", "limits", "protocol"},
            id="info",
        ),
        pytest.param(
            InfoFrame(content="c", model="m", demo=True, limits={}, state={"phase": "ready"}),
            {"content", "model", "demo", "limits", "protocol", "state"},
            id="info with state",
        ),
        pytest.param(
            AcceptedFrame(id=None, conversation=ID, message=ID, reply=ID, title="t"),
            {"conversation", "message", "reply", "title"},
            id="accepted without id",
        ),
        pytest.param(
            StatusFrame(reply=ID, stage="queued", position=1),
            {"reply", "stage", "position"},
            id="status, queued",
        ),
        pytest.param(
            StatusFrame(reply=ID, stage="vision", done=0, total=2, eta_s=0.0, resumed=False),
            {"reply", "stage", "done", "total", "eta_s", "resumed"},
            id="status, zero is kept",
        ),
        pytest.param(
            PartialFrame(reply=ID, offset=0, content=""),
            {"reply", "offset", "content"},
            id="partial",
        ),
        pytest.param(
            FinalFrame(
                reply=ID, conversation=ID, content="", html="", finish_reason="stop", usage={},
                timings={}, model="m", sha256="0",
            ),
            {
                "reply", "conversation", "content", "html", "finish_reason", "usage", "timings",
                "model", "sha256", "demo",
            },
            id="final",
        ),
        pytest.param(
            ErrorFrame(code="bad_frame", content="c"), {"code", "content"}, id="error, shortest"
        ),
        pytest.param(
            ErrorFrame(code="queue_full", content="c", id="x", reply=ID, retry_after_s=10),
            {"code", "content", "id", "reply", "retry_after_s"},
            id="error, everything",
        ),
        pytest.param(
            ConversationFrame(conversation=ID, title="t", active_at="", is_generating=True),
            {"conversation", "title", "active_at", "is_generating", "is_unread", "is_pinned",
             "is_archived", "is_deleted"},
            id="conversation",
        ),
        pytest.param(PongFrame(t=None), set(), id="pong without t"),
        pytest.param(PongFrame(t=0), {"t"}, id="pong"),
    ],
)  # fmt: skip
def test_a_frame_is_written_with_its_type_and_without_what_is_none(
    frame: protocol.ServerFrame, fields: set[str]
) -> None:
    written = json.loads(frame.encode())

    assert written.pop("type") == frame.type
    assert set(written) == fields


def test_text_is_written_as_it_is() -> None:
    written = PartialFrame(reply=ID, offset=3, content="红色 🔴").encode()

    assert "红色 🔴" in written
    assert json.loads(written)["reply"] == str(ID)


def test_an_echoed_lone_surrogate_can_be_sent() -> None:
    """Such a `t` once ended the socket: UTF-8 cannot hold it."""
    written = PongFrame(t="\ud800").encode()

    assert json.loads(written.encode())["t"] == "\ud800"
