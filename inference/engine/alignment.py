"""Follows an earlier passage that the answer resembles, as one record resembles the last.

Boxes, table rows and lines of a form repeat a frame and fill it with something else: other digits,
more or fewer of them, another label. A match of n-grams ends at each of these; an alignment goes on
behind it. It tells by what is firm: tokens that mostly come where they are expected make up the
frame, all others fill it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

MOST_MISSES: Final = 10
"""So many unexpected tokens in a row, and it is another passage."""
WINDOW: Final = 6
"""How far from where it is expected a token of the frame may be found, in tokens."""


class Alignment:
    """Where in the earlier passage the answer is.

    `place` is the index of the token that is expected next; `run` is how many came as expected
    without a miss between them.
    """

    def __init__(self, place: int, run: int) -> None:
        """Begin behind `run` tokens that are the same."""
        self.place = place
        self.run = run
        self._misses = 0

    @property
    def is_lost(self) -> bool:
        """Say whether the answer does not follow the passage any more."""
        return self._misses > MOST_MISSES

    def follow(self, tokens: Sequence[int], token_id: int, is_firm: Callable[[int], bool]) -> None:
        """Take the answer's next token, which is not in `tokens` yet."""
        expected = tokens[self.place]
        if token_id == expected:
            self.place += 1
            self.run += 1
            self._misses = 0
            return
        self._misses += 1
        self.run = 0
        if is_firm(token_id):  # something was left out, or came between before
            self.place = self._find(tokens, token_id) + 1
        elif not is_firm(expected):  # one thing instead of another
            self.place += 1
        # Else it is longer than what stood here: the frame is still to come.

    def _find(self, tokens: Sequence[int], token_id: int) -> int:
        """Return the nearest place of a token, or the expected one if it is not near."""
        for distance in range(1, WINDOW + 1):
            for place in (self.place + distance, self.place - distance):
                if 0 <= place < len(tokens) and tokens[place] == token_id:
                    return place
        return self.place
