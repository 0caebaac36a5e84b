"""docs/protocol.md, chat/protocol.py, chat/errors.py and protocol.js say the same."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from chat import protocol
from chat.errors import TEXTS, ErrorCode
from chat.models import Reply
from tests.contract.documents import code, read, rows, section

DOCUMENT = read("docs/protocol.md")
SCRIPT = read("chat/static/chat/js/protocol.js")
CLIENT_FRAMES = {
    "message": protocol.MessageFrame,
    "regenerate": protocol.RegenerateFrame,
    "edit": protocol.EditFrame,
    "continue": protocol.ContinueFrame,
    "stop": protocol.StopFrame,
    "resume": protocol.ResumeFrame,
    "open": protocol.OpenFrame,
    "close": protocol.CloseFrame,
    "ping": protocol.PingFrame,
}
SERVER_FRAMES = [
    frame
    for frame in vars(protocol).values()
    if isinstance(frame, type)
    and issubclass(frame, protocol.ServerFrame)
    and frame is not protocol.ServerFrame
]
# `image` is the short form of one more entry in `images`.
READ_BUT_NOT_KEPT = {"message": ["image"]}


def documented(heading: str) -> dict[str, list[str]]:
    """Give the frames of a table with their fields."""
    return {code(kind)[0]: code(fields) for kind, fields, _ in rows(section(DOCUMENT, heading))}


def fields_of(frame: type) -> list[str]:
    """Give a frame's fields, as the code has them."""
    return [item.name for item in dataclasses.fields(frame)]


def script_list(name: str) -> list[str]:
    """Read a list of strings from the browser's protocol."""
    found = re.search(rf"export const {name} = (\[[^\]]*\])", SCRIPT)
    assert found, f"protocol.js exports no {name}"
    listed: list[str] = json.loads(re.sub(r",\s*\]", "]", found[1]))
    return listed


def test_the_client_frames_are_documented_with_all_fields() -> None:
    expected = {
        kind: sorted([*fields_of(frame), *READ_BUT_NOT_KEPT.get(kind, [])])
        for kind, frame in CLIENT_FRAMES.items()
    }

    found = documented("### Frames from the client")

    assert {kind: sorted(fields) for kind, fields in found.items()} == expected
    assert tuple(found) == protocol.CLIENT_FRAME_TYPES


def test_the_server_frames_are_documented_with_all_fields() -> None:
    expected = {frame.type: sorted(fields_of(frame)) for frame in SERVER_FRAMES}

    found = documented("### Frames from the server")

    assert {kind: sorted(fields) for kind, fields in found.items()} == expected


def test_the_error_codes_are_documented() -> None:
    found = [code(row[0])[0] for row in rows(section(DOCUMENT, "### Error codes"))]

    assert found == [member.value for member in ErrorCode]


def test_each_error_code_has_its_text() -> None:
    assert set(TEXTS) == set(ErrorCode)


def test_the_close_codes_are_documented() -> None:
    found = {name: int(number) for number, name, _ in rows(section(DOCUMENT, "### Close codes"))}

    assert found == {member.name: member.value for member in protocol.CloseCode}


@pytest.mark.parametrize("option", [item.name for item in dataclasses.fields(protocol.TurnOptions)])
def test_each_option_is_documented(option: str) -> None:
    assert f"`{option}`" in section(DOCUMENT, "### Frames from the client")


@pytest.mark.parametrize("word", [*protocol.Pixels, *Reply.FinishReason.values])
def test_each_word_of_the_wire_is_documented(word: str) -> None:
    assert f"`{word}`" in DOCUMENT


def test_the_largest_frame_is_documented() -> None:
    assert f"{protocol.MAX_FRAME_BYTES:,} bytes" in DOCUMENT


# The browser's own list ---------------------------------------------------------------------


def test_the_browser_knows_the_frame_types() -> None:
    server = [frame.type for frame in SERVER_FRAMES]

    assert script_list("CLIENT_FRAME_TYPES") == list(protocol.CLIENT_FRAME_TYPES)
    assert sorted(script_list("SERVER_FRAME_TYPES")) == sorted(server)


def test_the_browser_knows_the_error_codes() -> None:
    assert script_list("ERROR_CODES") == [member.value for member in ErrorCode]


def test_the_browser_knows_the_finish_reasons() -> None:
    assert script_list("FINISH_REASONS") == Reply.FinishReason.values


def test_the_browser_knows_the_close_codes() -> None:
    found = re.search(r"export const CLOSE_CODES = \{([^}]*)\}", SCRIPT)
    assert found
    pairs = re.findall(r"(\w+): (\d+)", found[1])

    assert {name: int(number) for name, number in pairs} == {
        member.name: member.value for member in protocol.CloseCode
    }


def test_the_browser_knows_the_numbers() -> None:
    assert f"PROTOCOL_VERSION = {protocol.PROTOCOL_VERSION};" in SCRIPT
    assert f"MAX_FRAME_BYTES = {protocol.MAX_FRAME_BYTES};" in SCRIPT
