"""What is proposed, how much of it is worth a row, and that prose hardly ever pays for it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from inference.engine.draft_hints import NO_HINTS, DraftHints
from inference.engine.speculation import MOST_DRAFT_TOKENS, MOST_WRITERS, ROW_COST, Speculation

SONG = list(range(100, 140))
DIGITS = list(range(10))


@dataclass(frozen=True, slots=True)
class Writing:
    """What it took to write a text: passes of the network, and rows of drafts in them."""

    passes: int
    rows: int

    @property
    def time(self) -> float:
        """Return the time in passes of one row."""
        return self.passes + ROW_COST * self.rows


def write(
    text: Sequence[int],
    prompt: Sequence[int] = (0,),
    hints: DraftHints = NO_HINTS,
) -> Writing:
    """Write a text as the scheduler does, whatever is proposed."""
    speculation = Speculation(prompt, hints)
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


def is_proposed(repeated: int, *, writers: int = 1) -> tuple[int, ...]:
    """Return what is proposed behind so many tokens of a song that come again."""
    speculation = Speculation([*SONG, *SONG[10 - repeated : 10]])
    return speculation.propose(MOST_DRAFT_TOKENS, writers=writers)


@pytest.mark.parametrize(("repeated", "rows"), [(2, 0), (3, 1), (8, 5)])
def test_first_drafts_are_short_and_behind_long_matches(repeated: int, rows: int) -> None:
    assert is_proposed(repeated) == tuple(SONG[10 : 10 + rows])


def test_fewer_rows_are_worth_it_beside_other_answers() -> None:
    rows = [len(is_proposed(8, writers=writers)) for writers in range(1, MOST_WRITERS + 2)]

    assert rows == sorted(rows, reverse=True)
    assert rows[0] > rows[-2] > rows[-1] == 0


def test_no_more_is_proposed_than_there_is_room_for() -> None:
    speculation = Speculation([*SONG, *SONG[:20]])

    assert speculation.propose(0, writers=1) == ()
    assert speculation.propose(1, writers=1) == tuple(SONG[20:21])


def test_repetition_shorter_than_the_draft_goes_on() -> None:
    speculation = Speculation([5, 6] * 12)
    for token_id in (5, 6) * 6:
        speculation.take(token_id)

    assert speculation.propose(MOST_DRAFT_TOKENS, writers=1) == (5, 6, 5, 6, 5)[:MOST_DRAFT_TOKENS]


def test_lookups_without_rows_are_compared_too() -> None:
    speculation = Speculation([*SONG, *SONG[:2]])
    for token_id in SONG[2:12]:
        assert speculation.propose(0, writers=1) == ()
        speculation.take(token_id)

    assert speculation.propose(3, writers=1) == tuple(SONG[12:15])


def test_records_filled_with_other_digits_are_written_by_their_frame() -> None:
    chance = random.Random(1)
    frame, records = list(range(100, 110)), 12
    text: list[int] = []
    for _ in range(records):
        text += [*frame, *chance.choices(DIGITS, k=chance.choice((2, 3, 3))), 200, 201]
    digits = sum(token_id in DIGITS for token_id in text)

    passes = write(text, hints=DraftHints(digit_ids=frozenset(DIGITS))).passes

    assert digits < passes <= digits + 4 * records < len(text) / 2


def test_hinted_passage_is_drafted_and_no_part_of_the_text() -> None:
    hints = DraftHints(passage_ids=tuple(SONG))

    assert write(SONG, hints=hints).passes < len(SONG) / 2
    assert write(SONG).passes == len(SONG)
    assert Speculation([1, 2, 3], hints).length == 3


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
