"""What is proposed, how much of it is worth a row, and that prose hardly ever pays for it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.speculation import (
    MOST_CANDIDATES,
    MOST_DRAFT_TOKENS,
    MOST_WRITERS,
    ROW_COST,
    Match,
    NgramIndex,
    Speculation,
    count_worthwhile,
)

SONG = list(range(100, 140))


@dataclass(frozen=True, slots=True)
class Writing:
    """What it took to write a text: passes of the network, and rows of drafts in them."""

    passes: int
    rows: int

    @property
    def time(self) -> float:
        """Return the time in passes of one row."""
        return self.passes + ROW_COST * self.rows


def write(text: Sequence[int], prompt: Sequence[int] = (0,)) -> Writing:
    """Write a text as the scheduler does, whatever is proposed."""
    speculation = Speculation(prompt)
    written = passes = rows = 0
    while written < len(text):
        draft = speculation.propose(MOST_DRAFT_TOKENS, writers=1)
        passes, rows = passes + 1, rows + len(draft)
        for drafted in (*draft, None):
            token_id = text[written]
            speculation.take(token_id)
            written += 1
            if token_id != drafted or written == len(text):
                break
    return Writing(passes, rows)


@pytest.mark.parametrize(
    ("tokens", "match"),
    [
        ([1, 2, 3, 4, 5], None),
        ([1], None),
        ([], None),
        ([1, 2, 9, 1, 2], Match(2, 2)),
        ([1, 2, 8, 1, 2, 9, 1, 2], Match(2, 5)),
        ([1, 2, 3, 9, 2, 3, 8, 1, 2, 3], Match(3, 3)),
        ([5, 1, 2, 3, 4, 9, 3, 4, 8, 6, 1, 2, 3, 4], Match(4, 5)),
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


@pytest.mark.parametrize(
    ("tokens", "draft"),
    [([1, 2, 3, 4, 5, 1, 2], [3, 4, 5, 1]), ([8, 1, 1, 1], [1, 1, 1, 1])],
    ids=["further", "over-its-own-end"],
)
def test_draft_is_what_followed(tokens: list[int], draft: list[int]) -> None:
    index = NgramIndex(tokens)
    match = index.find()

    assert match is not None
    assert index.follow(match, 4) == draft


@given(st.lists(st.integers(0, 3), min_size=2, max_size=40))
def test_match_is_an_earlier_place_of_the_newest_tokens(tokens: list[int]) -> None:
    pairs = list(pairwise(tokens))

    match = NgramIndex(tokens).find()

    assert (match is None) == (pairs[-1] not in pairs[:-1])
    if match is not None:
        assert 0 < match.end < len(tokens)
        assert tokens[match.end - match.length : match.end] == tokens[-match.length :]


@pytest.mark.parametrize(
    ("rate", "writers", "rows"),
    [
        (0.0, 1, 0),
        (ROW_COST * 0.9, 1, 0),
        (ROW_COST * 1.1, 1, 1),
        (1.0, 1, MOST_DRAFT_TOKENS),
        (1.0, MOST_WRITERS, MOST_DRAFT_TOKENS),
        (1.0, MOST_WRITERS + 1, 0),
    ],
    ids=["never", "seldom", "enough", "always", "few-writers", "many-writers"],
)
def test_rows_are_spent_where_they_gain_time(rate: float, writers: int, rows: int) -> None:
    assert count_worthwhile(rate, writers=writers) == rows


def test_fewer_rows_are_worth_it_beside_other_answers() -> None:
    rows = [count_worthwhile(0.7, writers=writers) for writers in range(1, MOST_WRITERS + 2)]

    assert rows == sorted(rows, reverse=True)
    assert rows[0] > rows[1] > 0


@pytest.mark.parametrize(("repeated", "rows"), [(2, 0), (3, 1), (4, 2)])
def test_first_drafts_are_short_and_behind_long_matches(repeated: int, rows: int) -> None:
    speculation = Speculation([*SONG, *SONG[10 - repeated : 10]])

    draft = speculation.propose(MOST_DRAFT_TOKENS, writers=1)

    assert draft == tuple(SONG[10 : 10 + rows])


def test_lookups_without_rows_are_compared_too() -> None:
    speculation = Speculation([*SONG, *SONG[:2]])
    for token_id in SONG[2:12]:
        assert speculation.propose(0, writers=1) == ()
        speculation.take(token_id)

    assert speculation.propose(3, writers=1) == tuple(SONG[12:15])


def test_copy_of_the_prompt_takes_at_least_three_tokens_a_pass() -> None:
    text = [n * n % 997 for n in range(120)]

    assert write(text, prompt=text).passes <= len(text) / 3


def test_repetition_in_the_answer_is_noticed() -> None:
    assert write(SONG * 5).passes <= 2 * len(SONG)


@pytest.mark.parametrize("words", [3, 6, 12, 40], ids="of-{}-words".format)
@pytest.mark.parametrize("seed", range(3))
def test_text_that_only_seems_to_repeat_costs_less_than_three_percent(
    words: int, seed: int
) -> None:
    text = random.Random(seed).choices(range(words), k=2000)

    assert len(text) / write(text).time >= 0.97


def test_end_of_a_repetition_is_noticed_within_a_few_guesses() -> None:
    prose = random.Random(1).choices(range(6), k=400)

    together = write([*SONG * 5, *prose]).time

    assert together <= write(SONG * 5).time + 1.05 * len(prose)
