"""Behind whatever fills the frame, the frame is expected again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.alignment import MOST_MISSES, WINDOW, Alignment

FRAME = frozenset({100, 101, 102, 103})
RECORD = [100, 101, 1, 2, 102, 3, 4, 103]


def follow(tokens: list[int], passage: list[int] = RECORD) -> Alignment:
    """Write tokens along a passage from its start; only the frame's tokens are firm."""
    alignment = Alignment(0, 0)
    for token_id in tokens:
        alignment.follow(passage, token_id, FRAME.__contains__)
    return alignment


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([100, 101], 1),
        ([100, 101, 9, 8], 102),
        ([100, 101, 9, 8, 7, 102], 3),
        ([100, 101, 9, 8, 7], 102),
        ([100, 101, 9, 102], 3),
        ([100, 102], 3),
        ([100, 101, 1, 2, 102, 9, 9, 9, 9, 9, 9], 103),
    ],
    ids=["same", "others", "one-more", "still-more", "one-less", "all-left-out", "far-too-long"],
)
def test_expected_is_what_stands_behind_the_same_place_of_the_frame(
    tokens: list[int], expected: int
) -> None:
    assert RECORD[follow(tokens).place] == expected


def test_run_counts_the_tokens_since_the_last_miss() -> None:
    assert follow([100, 101]).run == 2
    assert follow([100, 101, 9]).run == 0
    assert follow([100, 101, 9, 2, 102]).run == 2


def test_token_of_the_frame_is_only_looked_for_nearby() -> None:
    far = [100, *[1] * (WINDOW + 1), 101]

    assert follow([100, 101], far).place == 2
    assert follow([100, 101], [100, *far[2:]]).place == len(far) - 1


def test_passage_is_lost_behind_many_misses_in_a_row() -> None:
    passage = [1] * 2 * MOST_MISSES

    assert not follow([2] * MOST_MISSES, passage).is_lost
    assert follow([2] * (MOST_MISSES + 1), passage).is_lost
    assert not follow([2, 1] * MOST_MISSES, passage).is_lost


@given(st.lists(st.integers(98, 105), min_size=1, max_size=30), st.integers(0, 29))
def test_place_is_always_one_that_was_written(tokens: list[int], start: int) -> None:
    passage = [*tokens]
    alignment = Alignment(start % len(passage), 0)

    for token_id in tokens:
        alignment.follow(passage, token_id, FRAME.__contains__)
        passage.append(token_id)
        assert 0 <= alignment.place < len(passage)
