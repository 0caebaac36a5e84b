"""What only repeats itself is a loop; what documents repeat in earnest is none."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.loop_guard import (
    CELLS,
    MAX_PERIOD,
    PHRASE,
    RULING,
    SHORT_PERIOD,
    WORDS,
    Bound,
    LoopGuard,
)

SHORTEST_RUN = WORDS.tokens - SHORT_PERIOD
WORDS_AND_SIGNS = re.compile(r" ?[^\W\d_]+|\d|\s+|.")
EACH_CHARACTER = re.compile(r"(?s).")


def loop_at(tokens: Iterable[tuple[int, str]]) -> int | None:
    """Return how many tokens the guard took until it called them a loop."""
    guard = LoopGuard()
    for taken, (token_id, text) in enumerate(tokens, 1):
        guard.take(token_id, text)
        if guard.is_looping:
            return taken
    return None


def cut(text: str, pattern: re.Pattern[str]) -> list[tuple[int, str]]:
    """Cut a text into tokens, about as real tokenizers do; equal pieces are equal tokens."""
    ids: dict[str, int] = {}
    return [(ids.setdefault(piece, len(ids)), piece) for piece in pattern.findall(text)]


# The bounds ---------------------------------------------------------------------------------


def spell(period: int, *, text: str, last: str) -> list[tuple[int, str]]:
    """Return enough repeats of a unit of different tokens, each with a text."""
    unit = [(n, text) for n in range(period - 1)] + [(period - 1, last)]
    return unit * (1 + RULING.span(period) // period)


@pytest.mark.parametrize("period", range(1, MAX_PERIOD + 1))
@pytest.mark.parametrize(
    ("text", "last", "bound"),
    [
        pytest.param("a", "a", None, id="words"),
        pytest.param("a", "好\n", CELLS, id="lines"),
        pytest.param("a", "b |", CELLS, id="cells"),
        pytest.param("1", "2\n", RULING, id="numbers"),
        pytest.param("-", "|", RULING, id="ruling"),
        pytest.param("", "", RULING, id="no text"),
        pytest.param("<td>", "</td>", RULING, id="tags"),
    ],
)
def test_every_period_is_a_loop_exactly_at_its_bound(
    period: int, text: str, last: str, bound: Bound | None
) -> None:
    bound = bound or (WORDS if period <= SHORT_PERIOD else PHRASE)

    assert loop_at(spell(period, text=text, last=last)) == bound.span(period)


def test_sign_that_looked_like_a_tag_hides_letters_for_its_line_only() -> None:
    before = [(1, "1"), (2, "<"), (3, "2"), (4, "\n")]

    assert loop_at(before + [(5, "a")] * RULING.tokens) == len(before) + WORDS.tokens


def test_longer_period_than_the_longest_is_no_loop() -> None:
    assert loop_at(spell(MAX_PERIOD + 1, text="a", last="a")) is None


def test_loop_stays_one_when_something_else_follows() -> None:
    guard = LoopGuard()
    for token_id, text in [(1, "a")] * WORDS.tokens + [(2, "b")]:
        guard.take(token_id, text)

    assert guard.is_looping


# Any stream ---------------------------------------------------------------------------------

texts = st.sampled_from(["a", "好", " b", "1", "-", "|", "\n", "<", ">", ""])
tokens = st.tuples(st.integers(0, 2), texts)


@given(st.lists(tokens, max_size=80), st.lists(tokens, min_size=1, max_size=MAX_PERIOD))
def test_any_exact_period_is_a_loop_within_the_longest_bound(
    before: list[tuple[int, str]], unit: list[tuple[int, str]]
) -> None:
    bound = RULING.span(len(unit))
    stream = before + unit * (1 + bound // len(unit))

    taken = loop_at(stream)

    assert taken is not None
    assert taken <= len(before) + bound


@given(st.lists(st.lists(tokens, max_size=SHORTEST_RUN - 1), max_size=12))
def test_rows_that_differ_in_one_token_are_never_a_loop(
    rows: list[list[tuple[int, str]]],
) -> None:
    numbers = count(1000)
    stream = [token for row in rows for token in (*row, (next(numbers), "7"))]

    assert loop_at(stream) is None


letters = st.integers(0, 2).map(lambda n: (n, "ab\n"[n]))
repeated = st.tuples(st.lists(letters, min_size=1, max_size=12), st.integers(1, 60))


@given(st.lists(repeated, max_size=4))
def test_verdict_is_that_of_the_rule_written_plainly(
    pieces: list[tuple[list[tuple[int, str]], int]],
) -> None:
    stream = [token for unit, times in pieces for token in unit * times][:400]
    plain = (n for n in range(1, len(stream) + 1) if is_plain_loop(stream[:n]))

    assert loop_at(stream) == next(plain, None)


def is_plain_loop(stream: Sequence[tuple[int, str]]) -> bool:
    ids = [token_id for token_id, _ in stream]
    for period in range(1, min(MAX_PERIOD, len(ids) - 1) + 1):
        equal = 0
        while equal + period < len(ids) and ids[-1 - equal] == ids[-1 - equal - period]:
            equal += 1
        unit = "".join(text for _, text in stream[-period:])
        bound = WORDS if period <= SHORT_PERIOD else PHRASE
        bound = CELLS if "\n" in unit else bound
        bound = bound if re.search("[ab]", unit) else RULING
        if equal and equal + period >= max(bound.tokens, bound.repeats * period):
            return True
    return False


# Documents ----------------------------------------------------------------------------------

_draw = random.Random(4)
PRICES = "| part | number | price |\n|---|---|---|\n" + "".join(
    f"| screw | {n} | {n * 7 % 100}.00 |\n" for n in range(80)
)
BOXES = json.dumps(
    [{"bbox_2d": [_draw.randrange(1000) for _ in range(4)], "label": "person"} for _ in range(40)]
)
CONTENTS = "".join(f"Chapter {n} {'. ' * 60}{n * 9}\n" for n in range(1, 12))
MONTHS = "| month |" + " N/A |" * 12 + "\n| sum |" + " 0 |" * 12 + "\n"
HTML = "".join(f"<tr><td>{n}</td>{'<td></td>' * 12}</tr>\n" for n in range(20))
REFRAIN = "Row, row, row your boat,\nGently down the stream.\nMerrily, merrily, life is a dream.\n"
DOCUMENTS = {
    "table": PRICES,
    "wide table's separator": "|" + "---|" * 40 + "\n",
    "months": MONTHS,
    "equal rows in an inventory": "| bolt M4 | 10 |\n" * 5,
    "empty form": "| name | date |\n|---|---|\n" + "|   |   |\n" * 20,
    "html": HTML,
    "latex": "".join(f"{n} & {n * n} & N/A & N/A & N/A \\\\\n" for n in range(40)),
    "boxes": BOXES,
    "labels": json.dumps(["person"] * 9),
    "contents": CONTENTS,
    "rulers": f"{'-' * 120}\nA title\n{'=' * 120}\n",
    "numbers": ", ".join(map(str, range(300))),
    "column of zeros": "0.00\n" * 40,
    "base64": base64.b64encode(_draw.randbytes(900)).decode(),
    "checklist": "".join(f"- [ ] item {n}\n" for n in range(60)),
    "refrain": REFRAIN * 3,
    "chinese table": "".join(f"| 第{n}行 | 无 | 无 | 无 |\n" for n in range(60)),
    "laughter": "ha" * 20,
}
LOOPS = {
    "word": "very " * 200,
    "sentence": "The cat sits on the mat and looks at the dog. " * 40,
    "line": "I see a red square.\n" * 60,
    "table row": PRICES + "| screw | 80 | 60.00 |\n" * 30,
    "box": '[{"label": "cat"}' + ', {"label": "cat"}' * 40,
    "dots": "." * 600,
    "zeros": "0, " * 300,
    "empty cells": "<td></td>" * 100,
    "chinese": "我看到一只猫。" * 60,
    "emoji": "🙂" * 300,
}
CUTS = pytest.mark.parametrize("pattern", [WORDS_AND_SIGNS, EACH_CHARACTER], ids=["words", "bytes"])


@CUTS
@pytest.mark.parametrize("text", [pytest.param(t, id=name) for name, t in DOCUMENTS.items()])
def test_document_is_no_loop(text: str, pattern: re.Pattern[str]) -> None:
    assert loop_at(cut(text, pattern)) is None


@CUTS
@pytest.mark.parametrize("text", [pytest.param(t, id=name) for name, t in LOOPS.items()])
def test_what_small_models_do_is_a_loop(text: str, pattern: re.Pattern[str]) -> None:
    assert loop_at(cut(text, pattern)) is not None


def _rows(row: Callable[[int], str]) -> str:
    return "".join(row(n) for n in range(60))


@pytest.mark.parametrize(
    ("row", "is_loop"),
    [
        pytest.param(lambda _: "| nut | 12 | 0.40 |\n", True, id="equal rows"),
        pytest.param(lambda n: f"| nut | {n} | 0.40 |\n", False, id="rows that count"),
    ],
)
def test_whole_rows_must_be_equal(row: Callable[[int], str], is_loop: bool) -> None:
    assert (loop_at(cut(_rows(row), WORDS_AND_SIGNS)) is not None) is is_loop
