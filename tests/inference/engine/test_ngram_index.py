"""Where the newest tokens stood before."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.ngram_index import LONGEST_MATCH, MOST_CANDIDATES, Match, NgramIndex


@pytest.mark.parametrize(
    ("tokens", "match"),
    [
        ([1, 2, 3, 4, 5], None),
        ([1], None),
        ([], None),
        ([1, 2, 9, 1, 2], Match(2, 2)),
        ([1, 2, 8, 1, 2, 9, 1, 2], Match(2, 5)),
        ([1, 2, 3, 9, 2, 3, 8, 1, 2, 3], Match(3, 3)),
        ([*range(20), 99, *range(20)], Match(LONGEST_MATCH, 20)),
        ([7, 7, 7], Match(2, 2)),
    ],
    ids=["new", "one", "none", "pair", "latest", "longer", "longest", "run"],
)
def test_longest_match_is_found_and_of_equals_the_latest(
    tokens: list[int], match: Match | None
) -> None:
    assert NgramIndex(tokens).find() == match


def test_lookup_compares_a_bounded_number_of_places() -> None:
    far = [1, 2, 3, 4, *([3, 4, 9] * MOST_CANDIDATES), 1, 2, 3, 4]

    match = NgramIndex(far).find()

    assert match is not None
    assert match.length == 2


@given(st.lists(st.integers(0, 3), min_size=2, max_size=40))
def test_match_is_an_earlier_place_of_the_newest_tokens(tokens: list[int]) -> None:
    pairs = list(pairwise(tokens))

    match = NgramIndex(tokens).find()

    assert (match is None) == (pairs[-1] not in pairs[:-1])
    if match is not None:
        assert 0 < match.end < len(tokens)
        assert tokens[match.end - match.length : match.end] == tokens[-match.length :]
