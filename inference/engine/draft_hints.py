"""What drafts know of a model before it writes: its digits, and how it writes boxes and points.

Source: the grounding format of Qwen3-VL's cookbook (2d_grounding).
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

POINTS: Final = (
    '```json\n[\n\t{"point_2d": [104, 215], "label": "a"},\n'
    '\t{"point_2d": [326, 437], "label": "b"}\n]\n```'
)
BOXES: Final = (
    '```json\n[\n\t{"bbox_2d": [104, 215, 326, 437], "label": "a"},\n'
    '\t{"bbox_2d": [548, 659, 761, 872], "label": "b"}\n]\n```'
)


@dataclass(frozen=True, slots=True)
class DraftHints:
    """`digit_ids` are the tokens that are a digit each, of which drafts expect nothing.

    `passage_ids` are looked for as if they stood before the prompt. They are of no weight for what
    is chosen, as all of a draft is.
    """

    digit_ids: frozenset[int] = frozenset()
    passage_ids: tuple[int, ...] = ()


NO_HINTS: Final = DraftHints()


def make_hints(encode: Callable[[str], Sequence[int]]) -> DraftHints:
    """Return the hints of a tokenizer, given its function from text to ids."""
    digits = [encode(digit) for digit in string.digits]
    return DraftHints(
        digit_ids=frozenset(ids[0] for ids in digits if len(ids) == 1),
        passage_ids=(*encode(POINTS), *encode(BOXES)),
    )
