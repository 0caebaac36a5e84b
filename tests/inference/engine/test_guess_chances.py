"""What was guessed right is believed sooner."""

from __future__ import annotations

import pytest

from inference.engine.guess_chances import GuessChances, Guesser

WORD, OTHER = 7, 8
DIGITS = frozenset({1, 2, 3})


def learn(chances: GuessChances, token_id: int, *, is_right: bool, times: int = 12) -> None:
    """Compare one guess so many times."""
    for _ in range(times):
        chances.learn(Guesser.ALIGNMENT, 1, token_id, is_right=is_right)
        chances.learn_token(token_id, is_right=is_right)


@pytest.mark.parametrize("guesser", Guesser)
def test_first_guesses_are_believed_the_more_the_longer_it_went_well(guesser: Guesser) -> None:
    chances = GuessChances(frozenset())

    first = [chances.of(guesser, run, WORD) for run in range(12)]

    assert first == sorted(first)
    assert 0 <= first[0] < first[-1] < 1


def test_chance_goes_towards_what_came_true() -> None:
    chances = GuessChances(frozenset())
    before = chances.of(Guesser.ALIGNMENT, 1, WORD)

    learn(chances, WORD, is_right=True)
    learn(chances, OTHER, is_right=False)

    assert chances.of(Guesser.ALIGNMENT, 1, WORD) > 0.9 > before
    assert chances.of(Guesser.ALIGNMENT, 1, OTHER) < 0.1 < before


def test_chances_of_one_guesser_say_nothing_of_the_other() -> None:
    chances = GuessChances(frozenset())
    before = chances.of(Guesser.MATCH, 1, WORD)

    for _ in range(12):
        chances.learn(Guesser.ALIGNMENT, 1, WORD, is_right=True)

    assert chances.of(Guesser.MATCH, 1, WORD) == before


def test_one_digit_teaches_about_all() -> None:
    chances = GuessChances(DIGITS)

    learn(chances, 1, is_right=True)

    assert chances.is_firm(2)
    assert chances.of(Guesser.ALIGNMENT, 1, 3) == chances.of(Guesser.ALIGNMENT, 1, 1) > 0.5


def test_unknown_tokens_are_taken_for_firm_but_not_digits() -> None:
    chances = GuessChances(DIGITS)

    assert chances.is_firm(WORD)
    assert not any(chances.is_firm(digit) for digit in DIGITS)


def test_token_that_mostly_comes_otherwise_is_not_firm() -> None:
    chances = GuessChances(frozenset())

    learn(chances, WORD, is_right=False, times=2)

    assert not chances.is_firm(WORD)
