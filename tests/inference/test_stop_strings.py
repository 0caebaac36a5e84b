"""Where a text ends, and what is shown of it, however it comes in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.stop_strings import StopStrings

TEXTS = st.text("ab", max_size=30)
STOPS = st.lists(st.text("ab", min_size=1, max_size=4), max_size=4)
CUTS = st.lists(st.integers(0, 30), max_size=6)


def cut(text: str, places: Sequence[int]) -> list[str]:
    ends = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[first:last] for first, last in pairwise(ends)]


def end_of(text: str, strings: Sequence[str]) -> str:
    """Return what stands before the string that is complete first, character by character."""
    for end in range(1, len(text) + 1):
        starts = [end - len(s) for s in strings if text[:end].endswith(s)]
        if starts:
            return text[: min(starts)]
    return text


@given(text=TEXTS, strings=STOPS, cuts=CUTS)
def test_text_ends_before_the_first_stop_however_it_is_cut(
    text: str, strings: list[str], cuts: list[int]
) -> None:
    stops = StopStrings(strings)

    shown = "".join(stops.take(piece) for piece in cut(text, cuts)) + stops.release()

    assert shown == end_of(text, strings)
    assert stops.is_found == any(string in text for string in strings)


@given(text=TEXTS, strings=STOPS, cuts=CUTS)
def test_only_what_may_begin_a_stop_is_held_back(
    text: str, strings: list[str], cuts: list[int]
) -> None:
    stops = StopStrings(strings)
    shown = "".join(stops.take(piece) for piece in cut(text, cuts))

    held = stops.release()

    assert not held or any(string.startswith(held) for string in strings)
    assert stops.is_found or shown + held == text


@given(text=TEXTS, strings=STOPS, cuts=CUTS, known=st.integers(0, 30))
def test_what_was_shown_before_is_not_shown_again(
    text: str, strings: list[str], cuts: list[int], known: int
) -> None:
    stops = StopStrings(strings)
    stops.skip(known)

    shown = "".join(stops.take(piece) for piece in cut(text, cuts)) + stops.release()

    assert shown == end_of(text, strings)[known:]


@pytest.mark.parametrize(
    ("strings", "text"),
    [
        pytest.param(["abcd", "bc"], "abcd", id="first complete"),
        pytest.param(["bc", "abc"], "abc", id="longest of those complete at once"),
    ],
)
def test_of_two_stops_the_one_counts_that(strings: list[str], text: str) -> None:
    assert StopStrings(strings).take(text) == end_of(text, strings)
