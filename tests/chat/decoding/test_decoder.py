"""Decoding through real processes: they refuse, fail, are killed, and others go on."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from chat.decoding.decoder import Decoder
from chat.errors import ChatError, ErrorCode
from tests.chat.decoding import picture_corpus as corpus
from tests.chat.decoding.picture_corpus import SIZE, drawn, encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

SMALL = encoded(drawn(), "PNG")


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def refusal(decoder: Decoder, content: bytes) -> ChatError:
    with pytest.raises(ChatError) as refused:
        decoder.decode(content)
    return refused.value


def slow_picture() -> bytes:
    """Write a picture that takes seconds to read: much to unpack, and lossless to pack again."""
    return encoded(Image.effect_noise((3000, 2500), 90), "PNG", compress_level=1)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_children(decoder: Decoder, count: int) -> list[int]:
    """Wait until so many pictures have a process."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if decoder.pid is not None and len(children := children_of(decoder.pid)) == count:
            return children
    raise AssertionError(f"there were never {count} processes")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP"])
def test_every_format_is_read_by_a_confined_process(decoder: Decoder, kind: str) -> None:
    picture = decoder.decode(encoded(drawn(), kind))

    assert (picture.width_px, picture.height_px) == SIZE


@pytest.mark.parametrize("orientation", [1, 6])
def test_profiles_and_orientation_are_read_by_a_confined_process(
    decoder: Decoder, orientation: int
) -> None:
    content = corpus.oriented(orientation, "JPEG")

    assert decoder.decode(content).width_px == SIZE[0]
    assert decoder.decode(encoded(drawn(), "PNG", icc_profile=corpus.swapped_profile()))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"x", ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="no-picture"),
        pytest.param(SMALL[:60], ErrorCode.IMAGE_UNREADABLE, id="truncated"),
        pytest.param(corpus.png_claiming(9**5, 9**5), ErrorCode.IMAGE_TOO_LARGE, id="bomb"),
    ],
)
def test_refusals_come_through(decoder: Decoder, content: bytes, code: ErrorCode) -> None:
    assert refusal(decoder, content).code == code


def test_a_picture_that_needs_too_much_memory_is_too_large(
    decoder: Decoder, settings: SettingsWrapper
) -> None:
    settings.VL_DECODE_BYTES = 2**28

    refused = refusal(decoder, encoded(Image.new("RGBA", (6000, 6000), (0, 0, 0, 9)), "PNG"))

    assert refused.code == ErrorCode.IMAGE_TOO_LARGE
    assert refused.limit == "13 MP"


def test_one_process_serves_one_picture(decoder: Decoder) -> None:
    decoder.decode(SMALL)
    server = decoder.pid

    decoder.decode(SMALL)

    assert decoder.pid == server
    wait_for_children(decoder, 0)


def test_a_killed_process_costs_its_own_picture_only(decoder: Decoder) -> None:
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(decoder.decode, slow_picture())
        os.kill(wait_for_children(decoder, 1)[0], signal.SIGKILL)
        other = threads.submit(decoder.decode, SMALL)

        with pytest.raises(ChatError, match="image_unreadable"):
            slow.result()
        assert other.result().width_px == SIZE[0]


def test_a_process_that_takes_too_long_is_killed(
    decoder: Decoder, settings: SettingsWrapper
) -> None:
    settings.VL_DECODE_S = 1
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(decoder.decode, slow_picture())
        os.kill(wait_for_children(decoder, 1)[0], signal.SIGSTOP)

        with pytest.raises(ChatError, match="image_unreadable"):
            slow.result()


def test_one_persons_slow_files_do_not_keep_the_others(
    decoder: Decoder, settings: SettingsWrapper
) -> None:
    """Requests of a hundred bytes for slow pages kept everybody's uploads for minutes."""
    settings.VL_PERSON_DECODE_S_PER_MINUTE = 1
    settings.VL_DECODE_S = 2
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(decoder.decode, slow_picture(), owner_id=1)
        os.kill(wait_for_children(decoder, 1)[0], signal.SIGSTOP)
        with pytest.raises(ChatError, match="image_unreadable"):
            slow.result()

    with pytest.raises(ChatError, match="rate_limited"):
        decoder.decode(SMALL, owner_id=1)

    assert decoder.decode(SMALL, owner_id=2).width_px == SIZE[0]


def test_a_killed_fork_server_is_replaced(decoder: Decoder) -> None:
    decoder.decode(SMALL)
    first = decoder.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    picture = decoder.decode(SMALL)

    assert picture.width_px == SIZE[0]
    assert decoder.pid != first


def test_pictures_are_decoded_side_by_side(decoder: Decoder) -> None:
    with ThreadPoolExecutor(8) as threads:
        pictures = list(threads.map(decoder.decode, [SMALL] * 24))

    assert {picture.content for picture in pictures} == {pictures[0].content}


def test_the_fork_server_knows_no_secrets(decoder: Decoder) -> None:
    decoder.decode(SMALL)

    environment = Path(f"/proc/{decoder.pid}/environ").read_bytes()

    assert environment == b"LANG=C.UTF-8\0"


def test_closing_ends_the_fork_server(decoder: Decoder) -> None:
    decoder.decode(SMALL)
    server = decoder.pid

    decoder.close()

    assert not Path(f"/proc/{server}").exists()
