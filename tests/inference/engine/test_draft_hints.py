"""Boxes are drafted from the first one on, and digits are known."""

from __future__ import annotations

import json

import pytest

from inference.engine.draft_hints import BOXES, POINTS, make_hints


def test_digits_are_found_where_they_are_one_token() -> None:
    vocabulary = {**{str(digit): [digit] for digit in range(9)}, "9": [10, 11]}

    hints = make_hints(lambda text: vocabulary.get(text, [50]))

    assert hints.digit_ids == frozenset(range(9))
    assert hints.passage_ids == (50, 50)


@pytest.mark.parametrize("passage", [POINTS, BOXES], ids=["points", "boxes"])
def test_passages_are_json_as_the_model_writes_it(passage: str) -> None:
    fence, body, end = passage[:8], passage[8:-4], passage[-4:]

    assert (fence, end) == ("```json\n", "\n```")
    assert len(json.loads(body)) == 2
