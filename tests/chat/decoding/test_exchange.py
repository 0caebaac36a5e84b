"""Answers from a process that a picture may have taken over."""

from __future__ import annotations

import json
import struct
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.decoding.exchange import (
    BadAnswerError,
    Order,
    read_answer,
    read_order,
    write_order,
    write_picture,
    write_refusal,
)
from chat.decoding.picture import DecodedPicture
from chat.errors import ChatError, ErrorCode

if TYPE_CHECKING:
    from typing import Any

PICTURE = DecodedPicture(
    width_px=4, height_px=3, content_type="image/png", content=b"full", thumbnail=b"small"
)
HEAD = {"width_px": 4, "height_px": 3, "content_type": "image/png", "content_bytes": 4}


def answered(head: object, body: bytes = b"fullsmall") -> DecodedPicture:
    encoded = json.dumps(head).encode()
    stream = BytesIO(struct.pack(">I", len(encoded)) + encoded + body)
    return read_answer(stream, max_bytes=100)


def test_an_order_arrives_before_its_bytes() -> None:
    stream = BytesIO()
    order = Order(max_pixels=1, thumbnail_px=2, memory_bytes=3, cpu_s=4)
    write_order(stream, order, b"upload")
    stream.seek(0)

    assert read_order(stream) == order
    assert stream.read() == b"upload"


def test_a_picture_arrives_as_it_was_sent() -> None:
    stream = BytesIO()
    write_picture(stream, PICTURE)
    stream.seek(0)

    assert read_answer(stream, max_bytes=9) == PICTURE


def test_a_refusal_arrives_as_an_error() -> None:
    stream = BytesIO()
    write_refusal(stream, ChatError(ErrorCode.IMAGE_TOO_LARGE, limit="9 MP"))
    stream.seek(0)

    with pytest.raises(ChatError, match="image_too_large") as refused:
        read_answer(stream, max_bytes=9)

    assert refused.value.limit == "9 MP"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"content_type": "text/html"}, id="another-type"),
        pytest.param({"width_px": 0}, id="no-width"),
        pytest.param({"height_px": -3}, id="negative-height"),
        pytest.param({"width_px": "wide"}, id="no-number"),
        pytest.param({"content_bytes": 0}, id="no-picture"),
        pytest.param({"content_bytes": 9}, id="no-thumbnail"),
        pytest.param({"content_bytes": 99}, id="longer-than-it-is"),
        pytest.param({"content_bytes": None}, id="no-length"),
        pytest.param({"refused": "generation_failed"}, id="another-refusal"),
    ],
)
def test_unsound_answers_are_told(changed: dict[str, Any]) -> None:
    with pytest.raises(BadAnswerError):
        answered(HEAD | changed)


def test_an_answer_longer_than_allowed_is_told() -> None:
    with pytest.raises(BadAnswerError):
        answered(HEAD, b"x" * 101)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_do_anything_else(noise: bytes) -> None:
    with pytest.raises(BadAnswerError):
        read_answer(BytesIO(noise), max_bytes=100)
