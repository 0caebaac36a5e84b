"""Sizes stay within the budget and the model's limits, and only whole pictures get through."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inference.errors import ErrorCode, InferenceError
from inference.images import ImageLimits, count_image_tokens, decode_image, smart_resize
from inference.requests import PixelBudget
from inference.testing import draw_png


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "pixels", "tokens"),
    [
        ((640, 480), PixelBudget.BALANCED, 300),
        ((640, 480), PixelBudget.FAST, 234),
        ((4000, 3000), PixelBudget.BALANCED, 972),
        ((4000, 3000), PixelBudget.DETAIL, 2028),
        ((4000, 3000), PixelBudget.FULL, 11750),
        ((32, 32), PixelBudget.FAST, 64),
    ],
)
def test_known_sizes_cost_known_tokens(
    size: tuple[int, int], pixels: PixelBudget, tokens: int
) -> None:
    assert count_image_tokens(*size, pixels) == tokens


@pytest.mark.parametrize("pixels", list(PixelBudget))
@given(width=st.integers(1, 12_000), height=st.integers(1, 12_000))
def test_no_picture_costs_more_than_its_budget(
    pixels: PixelBudget, width: int, height: int
) -> None:
    if max(width, height) > 200 * min(width, height):
        return

    assert 1 <= count_image_tokens(width, height, pixels) <= pixels.max_image_tokens


@given(width=st.integers(32, 5000), height=st.integers(32, 5000))
def test_shape_is_kept_as_far_as_whole_tokens_allow(width: int, height: int) -> None:
    limits = ImageLimits()
    if max(width, height) > 8 * min(width, height):
        return

    new_width, new_height = smart_resize(width, height, limits)

    assert new_width % 32 == new_height % 32 == 0
    assert 0.6 < (new_width / new_height) / (width / height) < 1.6


def test_small_models_limits_win_over_the_budget() -> None:
    limits = ImageLimits(min_pixels=16_384, max_pixels=16_384)

    assert count_image_tokens(640, 640, PixelBudget.FULL, limits) == 16
    assert count_image_tokens(20, 20, PixelBudget.FAST, limits) == 16


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (1, 201), (402, 2)])
def test_impossible_shapes_are_unreadable(size: tuple[int, int]) -> None:
    with pytest.raises(InferenceError) as caught:
        count_image_tokens(*size, PixelBudget.FAST)

    assert caught.value.code == ErrorCode.IMAGE_UNREADABLE


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF"])
def test_usual_formats_are_read(form: str) -> None:
    picture = decode_image(encode(Image.new("RGB", (40, 20), "red"), form))

    assert (picture.mode, picture.size) == ("RGB", (40, 20))


@pytest.mark.parametrize("form", ["TIFF", "PPM", "ICO", "PDF", "EPS"])
def test_other_formats_are_refused(form: str) -> None:
    _assert_unreadable(encode(Image.new("RGB", (40, 40), "red"), form))


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html></html>", draw_png()[:80]],
    ids=["empty", "svg", "html", "truncated"],
)
def test_what_is_no_whole_picture_is_unreadable(data: bytes) -> None:
    _assert_unreadable(data)


def test_bomb_is_refused_by_its_head_alone() -> None:
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT\0\0\0\0"

    with pytest.raises(InferenceError) as caught:
        decode_image(data)

    assert caught.value.code == ErrorCode.IMAGE_TOO_LARGE


def test_picture_is_turned_as_its_camera_was_held() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.new("RGB", (40, 20), "red"), "JPEG", exif=exif.tobytes())

    assert decode_image(data).size == (20, 40)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_become_white(mode: str) -> None:
    data = encode(Image.new(mode, (8, 8), 0), "PNG")

    assert decode_image(data).getpixel((0, 0)) == (255, 255, 255)


def test_moving_picture_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert decode_image(data).getpixel((0, 0)) == (255, 0, 0)


def test_picture_file_of_a_phone_with_two_pictures_shows_the_first() -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    data = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])

    color = decode_image(data).getpixel((0, 0))

    assert isinstance(color, tuple)
    assert color[0] > 200 > color[2]


def _assert_unreadable(data: bytes) -> None:
    with pytest.raises(InferenceError) as caught:
        decode_image(data)
    assert caught.value.code == ErrorCode.IMAGE_UNREADABLE
