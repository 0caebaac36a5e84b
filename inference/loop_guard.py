"""Tells when an answer only repeats itself, as small models do in long lists, OCR and tables.

The last tokens are a loop if they repeat with some period p, exactly, for long enough. How long is
enough depends on what one repeat contains, because documents repeat too: words of running text
rarely do, equal cells, list items and whole rows sometimes do, and rulers, separator lines, leader
dots, empty cells and columns of zeros do for a whole line or page. Only exact repeats count: rows
that differ in one number are never a loop. Nor is what repeats with a longer period than 64 tokens.

Pure and incremental: the verdict depends on tokens and texts from the answer's start alone, so an
answer that is continued elsewhere is judged as the undisturbed one. A token costs 64 comparisons.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

MAX_PERIOD: Final = 64
SHORT_PERIOD: Final = 8
"""Up to here a repeat is a word or two, which people write several times in earnest."""
CELL_MARKS: Final = frozenset('|&\t\n>",;，；、')  # Chinese lists have their own
"""What parts rows, cells and items: Markdown, LaTeX, HTML, CSV, JSON, lines, lists."""
NO_TOKEN: Final = -1


@dataclass(frozen=True, slots=True)
class Bound:
    """From where on repeated tokens are a loop: at least so many, and so many repeats."""

    tokens: int
    repeats: int

    def span(self, period: int) -> int:
        """Return how many tokens in a row must repeat with this period, in tokens."""
        return max(self.tokens, self.repeats * period)


WORDS: Final = Bound(tokens=48, repeats=6)
PHRASE: Final = Bound(tokens=96, repeats=4)
# A table of 12 months may well say "N/A" in all of them, and an inventory the same row five times.
CELLS: Final = Bound(tokens=96, repeats=8)
# Without any letter it may be a ruler, a separator line of many columns, dots before a page number.
RULING: Final = Bound(tokens=256, repeats=8)


class LoopGuard:
    """Watches the accepted tokens of one answer; see the module's text."""

    def __init__(self) -> None:
        """Begin before the answer's first token."""
        self.is_looping = False  # stays, once it is so
        self._recent = deque([NO_TOKEN] * MAX_PERIOD, maxlen=MAX_PERIOD)  # newest first
        self._runs = [0] * MAX_PERIOD  # by period: how many tokens in a row equal that one ago
        self._taken = 0
        self._letter_at = 0  # which token was the last with a letter, counted from 1
        self._mark_at = 0
        self._is_in_tag = False

    def take(self, token_id: int, text: str) -> None:
        """Take the next token, from 0, and the text that became certain with it, possibly none."""
        self._taken += 1
        self._read(text)
        self._runs = [
            run + 1 if earlier == token_id else 0
            for run, earlier in zip(self._runs, self._recent, strict=True)
        ]
        self._recent.appendleft(token_id)
        self.is_looping = self.is_looping or any(
            run and run + period >= self._bound(period).span(period)
            for period, run in enumerate(self._runs, 1)
        )

    def _read(self, text: str) -> None:
        for character in text:
            if character in CELL_MARKS:
                self._mark_at = self._taken
            if character == "<":
                self._is_in_tag = True
            elif character in ">\n":
                self._is_in_tag = False
            # The name of a tag is no content: a row of empty HTML cells is as empty as another.
            elif character.isalpha() and not self._is_in_tag:
                self._letter_at = self._taken

    def _bound(self, period: int) -> Bound:
        """Return what holds for the last `period` tokens as one repeat."""
        before = self._taken - period
        if self._letter_at <= before:
            return RULING
        if self._mark_at > before:
            return CELLS
        return WORDS if period <= SHORT_PERIOD else PHRASE
