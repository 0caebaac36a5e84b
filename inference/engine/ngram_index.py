"""The tokens of a sequence, and where the newest ones stood before.

Pure; knows token ids only. Source: prompt lookup decoding (A. Saxena, 2023); the chains of deflate
(RFC 1951, section 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

LONGEST_MATCH: Final = 8
SHORTEST_MATCH: Final = 2
MOST_CANDIDATES: Final = 8
"""How many earlier places one lookup compares, the latest first: it takes microseconds."""


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

    @property
    def tokens(self) -> Sequence[int]:
        """Return all tokens; they grow with `append`."""
        return self._tokens

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
