"""Speculation without a draft model: what followed the last tokens earlier may follow them again.

Text read from a picture, boxes and follow-up questions repeat the prompt and themselves. Two guess
what comes next: a match of the newest tokens, where text comes again word for word, and an
alignment, where a record comes again with something else in it. What the likelier one proposes is a
draft. The network scores it in the pass that the newest token takes anyway, and the scheduler keeps
a token of the draft only where it would have been chosen: drafts save passes and never change a
text. Pure; knows token ids only. Times are in passes of one row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from inference.engine.alignment import Alignment
from inference.engine.draft_hints import NO_HINTS, DraftHints
from inference.engine.guess_chances import GuessChances, Guesser
from inference.engine.ngram_index import Match, NgramIndex

MOST_DRAFT_TOKENS: Final = 5
"""With the newest token 6 rows, one tile of the native products: of 8 rows they take twice the
time of one, of 6 at most half as much again, and the weights are unpacked once."""
MOST_WRITERS: Final = 4
"""With more answers in a step its time is arithmetic, and no row of a draft is cheap any more."""
ROW_COST: Final = 0.1
"""What one more row adds to a pass of one row, whose time is the reading of all weights.

Measured with the 2B shape (2 cores, 2 to 6 rows): by AVX-512 0.03 with int8 and 0.05 with int4, by
AVX2 0.09 and 0.2. With this figure drafts gain as much as with each set's own, within 2 %.
"""
ALIGNING_MATCH: Final = 5
"""So many equal tokens are a frame that comes again, not a chance."""
TRUSTED_MATCH: Final = 3
"""A shorter match beside an alignment is some digits that happen to be the same."""


class Speculation:
    """What a sequence proposes, and how often that was right; one for each sequence.

    Every guess is compared with the token that is chosen then, whether a row was spent on it or
    not. So it costs nothing to find out that a text has begun to repeat: a sequence starts with
    short drafts behind long matches, and prose soon has none.
    """

    def __init__(self, token_ids: Iterable[int], hints: DraftHints = NO_HINTS) -> None:
        """Begin behind a prompt, and what is known of its answer."""
        self._index = NgramIndex((*hints.passage_ids, *token_ids))
        self._hinted = len(hints.passage_ids)
        self._chances = GuessChances(hints.digit_ids)
        self._match: Match | None = None
        self._alignment: Alignment | None = None
        self._look()

    @property
    def length(self) -> int:
        """Return how many tokens it knows, prompt and answer."""
        return len(self._index.tokens) - self._hinted

    def take(self, token_id: int) -> None:
        """Take the next token of the answer, and learn from it."""
        tokens = self._index.tokens
        if self._match is not None:
            guess = tokens[self._match.end]
            self._learn(Guesser.MATCH, self._match.length, guess, token_id)
        if self._alignment is not None:
            guess = tokens[self._alignment.place]
            self._learn(Guesser.ALIGNMENT, self._alignment.run, guess, token_id)
            self._alignment.follow(tokens, token_id, self._chances.is_firm)
        self._index.append(token_id)
        self._look()

    def propose(self, most: int, *, writers: int) -> tuple[int, ...]:
        """Return up to `most` tokens that are worth a row each, in a step of `writers` answers."""
        if writers > MOST_WRITERS:
            return ()
        # A step gives every answer one token more, which so is worth its time divided by `writers`.
        row_cost = ROW_COST * writers / (1 + ROW_COST * (writers - 1))
        drafts = [
            self._draft(guesser, start, run, most=min(most, MOST_DRAFT_TOKENS), row_cost=row_cost)
            for guesser, start, run in self._guesses()
        ]
        return max(drafts, key=lambda draft: draft[1], default=((), 0.0))[0]

    def _look(self) -> None:
        """Find where the newest tokens stood before, and whether that is a passage to follow."""
        self._match = self._index.find()
        alignment = self._alignment
        if alignment is not None and alignment.is_lost:
            alignment = None
        match = self._match
        if match is not None and match.length >= ALIGNING_MATCH:
            is_there = alignment is not None and alignment.place == match.end
            alignment = alignment if is_there else Alignment(match.end, match.length)
        self._alignment = alignment

    def _learn(self, guesser: Guesser, run: int, guess: int, token_id: int) -> None:
        is_right = guess == token_id
        self._chances.learn(guesser, run, guess, is_right=is_right)
        if guesser is Guesser.ALIGNMENT or self._alignment is None:
            self._chances.learn_token(guess, is_right=is_right)

    def _guesses(self) -> Iterable[tuple[Guesser, int, int]]:
        """Yield who guesses, from which place on, and how long that one has been right."""
        if self._alignment is not None:
            yield Guesser.ALIGNMENT, self._alignment.place, self._alignment.run
        match = self._match
        if match is not None and (self._alignment is None or match.length >= TRUSTED_MATCH):
            yield Guesser.MATCH, match.end, match.length

    def _draft(
        self, guesser: Guesser, start: int, run: int, *, most: int, row_cost: float
    ) -> tuple[tuple[int, ...], float]:
        """Return the tokens from a place on whose rows pay, and how many passes they will save.

        Token k comes only if all before it did. Where they reach the newest token they go on with
        themselves: so a repetition that is shorter than the draft goes on, too.
        """
        tokens = self._index.tokens
        period = len(tokens) - start
        draft: list[int] = []
        chance = 1.0
        gain = 0.0
        for depth in range(most):
            token_id = tokens[start + depth % period]
            chance *= self._chances.of(guesser, run + depth, token_id)
            if chance <= row_cost:
                break
            gain += chance - row_cost
            draft.append(token_id)
        return tuple(draft), gain
