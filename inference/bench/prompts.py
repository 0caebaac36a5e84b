"""What the contestants are asked: pictures of 640x480, questions, and texts that nobody has cached.

With the question a picture costs 340 prompt tokens of Qwen3-VL, 300 of them the picture's. All is
drawn from numbers, the same in every run.
"""

from __future__ import annotations

import random
from pathlib import Path

from inference.bench.wire import Conversation, Line

PICTURE_SIZE_PX = (640, 480)
IMAGE_TOKENS = 300
WARM_UP_SIZE_PX = (256, 256)
TILE_PX = 32
PASSAGE_WORDS = 330

FIRST_QUESTION = (
    "Please look carefully at this picture and tell me in a few short sentences what you can see "
    "in it and where the main objects stand, many thanks."
)
SECOND_QUESTION = "Which colours are the strongest ones on its left side?"
OTHER_QUESTION = "How many things are there, and what could they be used for?"
WORDS = ("apple", "bridge", "candle", "dinner", "engine", "flower", "garden", "harbour", "island")


def ask_about(picture: Path, question: str = FIRST_QUESTION) -> Conversation:
    """Return a conversation that begins with a question about a picture."""
    return (Line("user", question, str(picture)),)


def go_on(conversation: Conversation, answer: str, question: str) -> Conversation:
    """Return the conversation with its answer and the next question."""
    return (*conversation, Line("assistant", answer), Line("user", question))


def ask_in_text(seed: int, words: int = 12) -> Conversation:
    """Return a conversation without a picture, of so many words, the first of them its own."""
    chance = random.Random(seed)  # noqa: S311  # a text, not a secret
    return (Line("user", " ".join(["Tell", str(seed), *chance.choices(WORDS, k=words)])),)


def draw_picture(folder: Path, seed: int, size_px: tuple[int, int] = PICTURE_SIZE_PX) -> Path:
    """Write a PNG of coloured tiles, unlike that of any other seed, and return its path."""
    from PIL import Image  # only the benchmark's own process draws

    chance = random.Random(seed)  # noqa: S311  # a picture, not a secret
    width, height = size_px
    tiles = (width // TILE_PX, height // TILE_PX)
    small = Image.frombytes("RGB", tiles, chance.randbytes(3 * tiles[0] * tiles[1]))
    path = folder / f"picture-{width}x{height}-{seed}.png"
    folder.mkdir(parents=True, exist_ok=True)
    small.resize(size_px, Image.Resampling.BICUBIC).save(path, "PNG")
    return path
