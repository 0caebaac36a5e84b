"""Speculation without a draft model: what followed the last tokens earlier may follow them again.

Text read from a picture, boxes and follow-up questions repeat the prompt and themselves. The tokens
that stood behind the longest earlier match of the newest ones, an n-gram lookup, are proposed as a
draft. The network scores them in the pass that the newest token takes anyway, and the scheduler
keeps a token of the draft only where it would have been chosen: drafts save passes and never
change a text. Pure; knows token ids only. Times are in passes of one row.
Source: prompt lookup decoding (A. Saxena, 2023); the chains of deflate (RFC 1951, section 4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import Final

MOST_DRAFT_TOKENS: Final = 5
"""With the newest token 6 rows, one tile of the native products: of 8 rows they take twice the
time of one, of 6 only half as much again, and the weights are unpacked once."""
LONGEST_MATCH: Final = 4
SHORTEST_MATCH: Final = 2
MOST_CANDIDATES: Final = 8
"""How many earlier places one lookup compares, the latest first: it takes microseconds."""
MOST_WRITERS: Final = 4
"""With more answers in a step its time is arithmetic, and no row of a draft is cheap any more."""
ROW_COST: Final = 0.2
"""What one more row adds to a pass of one row, whose time is the reading of all weights.

Measured with the 2B shape's products (AVX2, 2 cores, 2 to 6 rows): at most 0.09 with int8 and 0.2
with int4. Too high a figure loses little, too low a one slows prose down.
"""
SMOOTHING: Final = 0.25
"""A rate follows the last dozen of guesses: a list of boxes begins and ends that quickly."""
FIRST_RATES: Final = {2: 0.0, 3: 0.3, 4: 0.5}
"""What is believed of a match before its first guess was compared, by its length in tokens.

Four tokens that come again mostly go on as before. Two are often a frequent pair of prose.
"""
HIGHEST_RATE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Match:
    """An earlier place where the newest `length` tokens stood; `end` is the index behind it."""

    length: int
    end: int


class NgramIndex:
    """The tokens of a sequence, and for each the place where it and its forerunner last stood.

    A token takes constant time and under 250 bytes; its keys and values in the cache, which bound
    how many there are, take a hundred kilobytes for the 2B shape.
    """

    def __init__(self, token_ids: Iterable[int] = ()) -> None:
        """Begin with some tokens."""
        self._tokens: list[int] = []
        self._last: dict[tuple[int, int], int] = {}
        self._earlier: list[int] = []  # for each token, the last place of the same pair, or -1
        for token_id in token_ids:
            self.append(token_id)

    def __len__(self) -> int:
        """Return how many tokens there are."""
        return len(self._tokens)

    def append(self, token_id: int) -> None:
        """Take the next token."""
        place = len(self._tokens)
        self._tokens.append(token_id)
        pair = (self._tokens[place - 1] if place else -1, token_id)
        self._earlier.append(self._last.get(pair, -1))
        self._last[pair] = place

    def find(self) -> Match | None:
        """Return the longest of the latest matches of the newest tokens; of equals the latest."""
        best: Match | None = None
        place = self._earlier[-1] if self._earlier else -1
        for _ in range(MOST_CANDIDATES):
            if place < 1 or (best is not None and best.length == LONGEST_MATCH):
                break
            length = self._match_length(place)
            if best is None or length > best.length:
                best = Match(length, place + 1)
            place = self._earlier[place]
        return best

    def follow(self, match: Match, count: int) -> list[int]:
        """Return the `count` tokens behind a match.

        Where they reach the newest token they go on with themselves: so a repetition that is
        shorter than the draft goes on, too.
        """
        followers = self._tokens[match.end : match.end + count]
        period = len(followers)
        return [followers[number % period] for number in range(count)]

    def _match_length(self, place: int) -> int:
        """Return how many tokens up to a place are the newest ones, as far as it matters."""
        newest = len(self._tokens) - 1
        length = SHORTEST_MATCH  # the chain holds places of the same pair
        while (
            length < min(LONGEST_MATCH, place + 1)
            and self._tokens[place - length] == self._tokens[newest - length]
        ):
            length += 1
        return length


class Speculation:
    """What a sequence proposes, and how often that was right; one for each sequence.

    Every lookup is compared with the tokens that are chosen then, whether rows were spent on it or
    not. So it costs nothing to find out that a text has begun to repeat: a sequence starts with
    short drafts behind long matches, and prose soon has none.
    """

    def __init__(self, token_ids: Iterable[int]) -> None:
        """Begin behind a prompt, and what is known of its answer."""
        self._index = NgramIndex(token_ids)
        self._guess: deque[int] = deque()
        self._match_length = SHORTEST_MATCH
        self._rates = dict(FIRST_RATES)  # of right guesses, by the length of the match

    @property
    def length(self) -> int:
        """Return how many tokens it knows, prompt and answer."""
        return len(self._index)

    def take(self, token_id: int) -> None:
        """Take the next token of the answer, and learn from it."""
        if self._guess:
            is_right = self._guess.popleft() == token_id
            self._rates[self._match_length] += SMOOTHING * (
                is_right - self._rates[self._match_length]
            )
            if not is_right:
                self._guess.clear()
        self._index.append(token_id)

    def propose(self, most: int, *, writers: int) -> tuple[int, ...]:
        """Return up to `most` tokens that are worth a row each, in a step of `writers` answers."""
        self._guess.clear()
        match = self._index.find()
        if match is None:
            return ()
        self._match_length = match.length
        self._guess.extend(self._index.follow(match, MOST_DRAFT_TOKENS))
        rows = min(most, count_worthwhile(self._rates[match.length], writers=writers))
        return tuple(self._guess)[:rows]


def count_worthwhile(rate: float, *, writers: int) -> int:
    """Return how many tokens of a draft gain more time than their rows take.

    `rate` of guesses were right, so token k of a draft is kept with probability rate^k. A step of
    `writers` answers then gives one token more, which is worth its time divided by `writers`.
    """
    if writers > MOST_WRITERS:
        return 0
    step_cost = 1 + ROW_COST * (writers - 1)
    least = ROW_COST * writers / step_cost
    if rate < least:
        return 0
    return min(int(log(least) / log(min(rate, HIGHEST_RATE))), MOST_DRAFT_TOKENS)
