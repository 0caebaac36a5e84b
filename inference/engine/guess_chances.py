"""How likely a guess about the next token comes true, learned from those that were compared.

A chance depends on who guesses, how long that one has been right, and how often this very token
came where it was expected. All digits count as one token here: each number is another, so none of
them is to be expected, however often it came.
"""

from __future__ import annotations

from bisect import bisect
from enum import Enum
from typing import Final

RUN_BOUNDS: Final = (1, 2, 3, 5, 8)
"""Runs of right guesses are told apart up to here."""
TRUST_BOUNDS: Final = (0.3, 0.7, 0.9)
RATE_SMOOTHING: Final = 0.2
"""A rate follows the last dozen of guesses: a list of boxes begins and ends that quickly."""
TRUST_SMOOTHING: Final = 0.3
UNKNOWN_TRUST: Final = 0.5
FIRM_TRUST: Final = 0.5
DIGIT: Final = -1
FIRST_DIGIT_TRUST: Final = 0.2


class Guesser(Enum):
    """Who guesses; with what is believed of it before its first guess, by the bucket of its run.

    Four equal tokens that come again mostly go on as before. Two are often a pair of prose.
    """

    MATCH = (0.0, 0.0, 0.05, 0.3, 0.5, 0.7)
    ALIGNMENT = (0.3, 0.3, 0.5, 0.5, 0.5, 0.5)


class GuessChances:
    """What was learned in one sequence."""

    def __init__(self, digit_ids: frozenset[int]) -> None:
        """Know nothing yet but which tokens are digits."""
        self._digit_ids = digit_ids
        self._trust = {DIGIT: FIRST_DIGIT_TRUST}
        self._rates: dict[tuple[Guesser, int, int], float] = {}

    def is_firm(self, token_id: int) -> bool:
        """Say whether a token mostly comes where it is expected."""
        return self._trust.get(self._kind(token_id), UNKNOWN_TRUST) >= FIRM_TRUST

    def of(self, guesser: Guesser, run: int, token_id: int) -> float:
        """Return the chance that a token comes which is guessed behind `run` right ones."""
        trust = self._trust.get(self._kind(token_id))
        return self._rates.get(_key(guesser, run, trust), _prior(guesser, run, trust))

    def learn(self, guesser: Guesser, run: int, token_id: int, *, is_right: bool) -> None:
        """Take what became of a guess."""
        trust = self._trust.get(self._kind(token_id))
        key = _key(guesser, run, trust)
        rate = self._rates.get(key, _prior(guesser, run, trust))
        self._rates[key] = rate + RATE_SMOOTHING * (is_right - rate)

    def learn_token(self, token_id: int, *, is_right: bool) -> None:
        """Take whether a token came where it was expected."""
        kind = self._kind(token_id)
        trust = self._trust.get(kind, UNKNOWN_TRUST)
        self._trust[kind] = trust + TRUST_SMOOTHING * (is_right - trust)

    def _kind(self, token_id: int) -> int:
        return DIGIT if token_id in self._digit_ids else token_id


def _key(guesser: Guesser, run: int, trust: float | None) -> tuple[Guesser, int, int]:
    return guesser, bisect(RUN_BOUNDS, run), -1 if trust is None else bisect(TRUST_BOUNDS, trust)


def _prior(guesser: Guesser, run: int, trust: float | None) -> float:
    first: float = guesser.value[bisect(RUN_BOUNDS, run)]
    return first if trust is None else (first + trust) / 2
