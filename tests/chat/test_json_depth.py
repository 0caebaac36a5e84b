"""What is nested too deep is refused as such, wherever JSON comes in; brackets in text are text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from chat import protocol
from chat.frame_fields import MAX_DEPTH, FrameError, check_depth
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.conftest import connected

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tests.chat.conftest import Stage

DEEP = 100_000
MISSING = "0b5c9d16-0000-4000-8000-000000000000"


def nested(depth: int) -> str:
    """Write an object with so many levels in it."""
    return '{"type":"ping","t":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(nested(DEEP), id="lists"),
        pytest.param('{"t":' * DEEP + "1" + "}" * DEEP, id="objects"),
        pytest.param('{"t":' + '[{"a":' * DEEP + "1" + "}]" * DEEP + "}", id="both"),
        pytest.param("[" * DEEP, id="without an end"),
        pytest.param('{"a":"\\"[","t":' + "[" * DEEP, id="behind a quote in a string"),
        pytest.param(nested(MAX_DEPTH + 1), id="one too many"),
    ],
)
def test_what_is_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(FrameError, match="nested deeper"):
        protocol.decode(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(nested(MAX_DEPTH), id="as deep as allowed"),
        pytest.param(json.dumps({"text": "[{" * 1000}), id="brackets in a text"),
        pytest.param(json.dumps({"text": '\\"' + "[" * 1000}), id="behind escapes"),
        pytest.param(json.dumps({"a": [[1], [2]] * 1000}), id="many side by side"),
    ],
)
def test_what_is_wide_or_quoted_is_not_deep(text: str) -> None:
    assert protocol.decode(text) == json.loads(text)


def test_a_closing_bracket_makes_no_room() -> None:
    with pytest.raises(FrameError, match="nested deeper"):
        check_depth("[" * (MAX_DEPTH + 1) + "]" * (2 * MAX_DEPTH))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/conversations/"),
        ("POST", f"/api/conversations/{MISSING}/turns/"),
        ("PATCH", f"/api/conversations/{MISSING}/"),
        ("POST", f"/api/replies/{MISSING}/feedback/"),
        ("POST", f"/api/replies/{MISSING}/stop/"),
        ("POST", "/api/presets/"),
        ("POST", f"/api/documents/{MISSING}/runs/"),
    ],
)
def test_a_body_that_is_nested_too_deep_is_refused(alice: User, method: str, path: str) -> None:
    response = browser_of(alice).generic(
        method, path, nested(DEEP), content_type="application/json"
    )

    assert response.status_code == 400
    assert code_of(response) == "bad_frame"


async def test_a_frame_that_is_nested_too_deep_is_refused(stage: Stage, alice: User) -> None:
    async with connected(alice) as socket:
        await socket.communicator.send_to(text_data=nested(DEEP))
        refused = await socket.receive()
        await socket.send(type="ping", t="alive")
        pong = await socket.until("pong")

    assert refused["code"] == "bad_frame"
    assert pong["t"] == "alive"
