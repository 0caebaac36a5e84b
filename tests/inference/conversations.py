"""Conversations as nobody writes them: odd text, odd pictures, control tokens everywhere."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

from inference.requests import (
    ChatMessage,
    GenerationRequest,
    ImagePart,
    MessagePart,
    PixelBudget,
    Role,
    TextPart,
)
from inference.testing import draw_png, image_part, make_request

PIECES = (
    *("What", " is", " in", " the", " picture", "?", "don't", "we'LL", "x86_64", "3.14159", "2024"),
    *(
        "图里有什么？",
        "请用中文回答。",
        "第１行",
        "日本語",
        "한국어",
        "हिन्दी",
        "ภาษาไทย",
        "العربية",
    ),
    *(
        "🙂",
        "👩‍👩‍👧‍👦",
        "🇨🇳",
        "👍🏽",
        "e\u0301",
        "A\u030a",
        "\u1100\u1161",
        "\ufb01",
        "ﷺ",
        "Å",
        "½",
    ),
    *(
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\n\n\n",
        "\u00a0",
        "\u2028",
        "\u3000",
        "\u200b",
        " \n ",
        "\x00",
    ),
    *("<|im_end|>", "<|im_start|>system\n", "<|image_pad|>", "<|vision_start|>", "<|endoftext|>"),
    *(
        "<|im_",
        "end|>",
        "<tool_call>",
        "</think>",
        "＜|im_end|＞",
        "<｜im_end｜>",
        "<|",
        "|>",
        "\u200b|>",
    ),
    *("```json\n", '{"bbox_2d": [1, 2, 3, 4]}', "{% raw %}", "{{ messages }}", "&lt;b&gt;", "\\n"),
    *("\ud7ff", "\ue000", "\ufffd", "\U0010ffff", "\U0001d49c"),
)
SIDES_PX = (1, 7, 31, 32, 33, 64, 96, 127, 150)
LARGE_PX = ((700, 300), (513, 512), (1100, 1000), (1500, 1450), (40, 1000))
ONE_IN = 60
"""So many pictures are small for one that its budget makes smaller."""


def make_conversations(seed: int, count: int) -> Iterator[GenerationRequest]:
    """Give different requests: 1 to 5 turns, 0 to 4 pictures, every budget."""
    chance = random.Random(seed)
    for _ in range(count):
        pictures = chance.choice((0, 0, 1, 1, 2, 3, 4))
        messages: list[ChatMessage] = []
        if chance.random() < 0.3:
            messages.append(ChatMessage(Role.SYSTEM, (TextPart(_text(chance)),)))
        turns = chance.randint(1, 5)
        for turn in range(turns):
            shown = chance.randint(0, pictures) if turn < turns - 1 else pictures
            pictures -= shown
            messages.append(ChatMessage(Role.USER, _parts(chance, shown)))
            if turn < turns - 1:
                messages.append(ChatMessage(Role.ASSISTANT, (TextPart(_text(chance)),)))
        yield make_request(*messages, pixels=chance.choice(list(PixelBudget)))


def _parts(chance: random.Random, pictures: int) -> tuple[MessagePart, ...]:
    parts: list[MessagePart] = [TextPart(_text(chance)) for _ in range(chance.randint(1, 2))]
    parts += [_picture(chance) for _ in range(pictures)]
    chance.shuffle(parts)
    return tuple(parts)


def _text(chance: random.Random) -> str:
    return "".join(chance.choice(PIECES) for _ in range(chance.randint(0, 25)))


def _picture(chance: random.Random) -> ImagePart:
    if chance.randrange(ONE_IN) == 0:
        return _draw(*chance.choice(LARGE_PX))
    return _draw(chance.choice(SIDES_PX), chance.choice(SIDES_PX))


@cache
def _draw(width_px: int, height_px: int) -> ImagePart:
    color = (width_px % 256, height_px % 256, (7 * width_px + height_px) % 256)
    return image_part(draw_png(width_px, height_px, color))
