"""A picture is decoded once, whoever asks, and the memory stays within its budget."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.backends.prepared_pictures import PreparedPictures
from inference.errors import ErrorCode, InferenceError
from inference.images import QWEN3_VL_LIMITS, ImageLimits
from inference.requests import PixelBudget
from inference.testing import draw_png

TINY = ImageLimits(min_pixels=4096, max_pixels=4096)
TINY_BYTES = 4096 * 3
RED, BLUE, GREEN = (draw_png(color=color) for color in ((200, 0, 0), (0, 0, 200), (0, 200, 0)))


def test_the_same_bytes_are_the_same_picture() -> None:
    pictures = PreparedPictures()

    assert pictures.prepare(RED, TINY) is pictures.prepare(bytes(RED), TINY)
    assert pictures.used_bytes == TINY_BYTES


def test_other_bytes_are_another_picture() -> None:
    pictures = PreparedPictures()

    assert pictures.prepare(RED, TINY).getpixel((0, 0)) == (200, 0, 0)
    assert pictures.prepare(BLUE, TINY).getpixel((0, 0)) == (0, 0, 200)


def test_other_limits_are_another_picture() -> None:
    pictures = PreparedPictures()

    small = pictures.prepare(RED, TINY)
    large = pictures.prepare(RED, QWEN3_VL_LIMITS.within(PixelBudget.FAST))

    assert (small.size, large.size) == ((64, 64), (256, 256))


def test_least_recently_used_picture_goes_first() -> None:
    pictures = PreparedPictures(2 * TINY_BYTES)
    red, blue = pictures.prepare(RED, TINY), pictures.prepare(BLUE, TINY)
    pictures.prepare(RED, TINY)

    pictures.prepare(GREEN, TINY)

    assert pictures.prepare(RED, TINY) is red
    assert pictures.prepare(BLUE, TINY) is not blue
    assert pictures.used_bytes == 2 * TINY_BYTES


def test_picture_larger_than_the_budget_pushes_nothing_out() -> None:
    pictures = PreparedPictures(TINY_BYTES)
    red = pictures.prepare(RED, TINY)

    pictures.prepare(RED, QWEN3_VL_LIMITS)

    assert pictures.prepare(RED, TINY) is red
    assert pictures.used_bytes == TINY_BYTES


def test_unreadable_picture_is_refused_every_time() -> None:
    pictures = PreparedPictures()

    for _ in range(2):
        with pytest.raises(InferenceError) as caught:
            pictures.prepare(b"no picture", TINY)
        assert caught.value.code == ErrorCode.IMAGE_UNREADABLE

    assert pictures.used_bytes == 0


def test_many_threads_count_a_picture_once() -> None:
    pictures = PreparedPictures()

    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: pictures.prepare(RED, TINY).size, range(64)))

    assert set(sizes) == {(64, 64)}
    assert pictures.used_bytes == TINY_BYTES
