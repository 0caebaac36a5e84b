"""Answers that are written to measure drafts: boxes, a text read out, prose.

Random coordinates are the hard case: nobody can guess a digit, only the frame around it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BOXES: Final = 10
LABELS: Final = ("red car", "bicycle", "person", "traffic light", "dog")
SIDE: Final = 1000
READ_CHARS: Final = 900
PROSE_CHARS: Final = 1500
PROSE: Final = Path(__file__).parents[2] / "docs" / "architecture.md"
QUESTION: Final = "Find everything in this picture and tell me about it."


@dataclass(frozen=True, slots=True)
class Writing:
    """A question and its answer, and whether the answer repeats something."""

    question: str
    answer: str
    is_repetitive: bool


def draw_boxes(seed: int) -> str:
    """Return a JSON list of boxes as the model writes them, with random corners and labels."""
    chance = random.Random(seed)  # noqa: S311  # a text, not a secret
    lines = []
    for _ in range(BOXES):
        x1, y1 = chance.randrange(SIDE), chance.randrange(SIDE)
        box = [x1, y1, chance.randrange(x1, SIDE), chance.randrange(y1, SIDE)]
        lines.append(f'\t{{"bbox_2d": {box}, "label": "{chance.choice(LABELS)}"}}')
    return "```json\n[\n" + ",\n".join(lines) + "\n]\n```"


def make_writings() -> Mapping[str, Writing]:
    """Return the texts by their names."""
    prose = PROSE.read_text(encoding="utf-8")
    passage = prose[-READ_CHARS:]
    return {
        "boxes": Writing(QUESTION, draw_boxes(seed=1), is_repetitive=True),
        "read out": Writing(f"Read this out:\n{passage}", passage, is_repetitive=True),
        "prose": Writing(QUESTION, prose[:PROSE_CHARS], is_repetitive=False),
    }
