"""How much prompt and how many parts of vision layers fit into a step, as earlier steps tell.

Knows nothing of sequences. Times are seconds, rows are rows of the text network. The model is
simple on purpose: a step costs what its decoding rows cost alone, and so much for each prompt row.
"""

from __future__ import annotations

from typing import Final

GAP_TARGET_S: Final = 0.22
"""What a step may take while answers are being written: people see gaps from about 250 ms on.

Each step reads all weights once for the answers, so short steps take time from those who wait for
their first word: with 0.15 it came a tenth later for the middle one of eight people.
"""
ALONE_TARGET_S: Final = 1.0
"""What a step may take while nobody waits for a token: then only a newcomer waits for its end.

Of half a second the 2B shape's prompt took a fifth longer: a step reads all weights once.
"""
MIN_ROWS: Final = 16
"""Fewer rows take what reading the weights takes, and say nothing about what a row costs."""
MAX_ROWS: Final = 512
FIRST_ROWS: Final = 32
SMOOTHING: Final = 0.3


class Pace:
    """Learns the cost of rows and of parts of vision layers.

    There is one for each loaded model, used by its one thread.

    `rows` fixes the prompt rows of every step instead, for tests.
    """

    def __init__(self, rows: int | None = None) -> None:
        """Start without knowledge: the first steps are small."""
        self._fixed_rows = rows
        self._decode_s: float | None = None
        self._row_s: float | None = None
        self._part_s: float | None = None

    def prompt_rows(self, decoding: int, *, is_shared: bool) -> int:
        """Return how many prompt rows the next step may take beside `decoding` running answers.

        With `is_shared` they leave half of what is left of it, and one part at least, to the tower.

        Never less than 16, so that a prompt gets on however slow the machine is.
        """
        if self._fixed_rows is not None:
            return self._fixed_rows
        if self._row_s is None:
            return FIRST_ROWS
        left_s = _target(decoding) - ((self._decode_s or 0.0) if decoding else 0.0)
        if is_shared:
            left_s -= max(left_s / 2, self._part_s or 0.0)
        return int(min(max(left_s / self._row_s, MIN_ROWS), MAX_ROWS))

    def has_time_for_part(self, decoding: int, elapsed_s: float) -> bool:
        """Say whether one more part fits into a step that has already taken so long."""
        return elapsed_s + (self._part_s or 0.0) <= _target(decoding)

    def note_step(self, *, decoding: int, prompt_rows: int, took_s: float) -> None:
        """Learn from a whole step of the text network."""
        if not prompt_rows:
            self._decode_s = _smooth(self._decode_s, took_s)
            return
        if prompt_rows < MIN_ROWS:
            return
        base_s = min(self._decode_s or 0.0, took_s) if decoding else 0.0
        self._row_s = _smooth(self._row_s, max((took_s - base_s) / prompt_rows, 1e-7))

    def note_part(self, took_s: float) -> None:
        """Learn from one part of a layer of the vision tower."""
        self._part_s = _smooth(self._part_s, took_s)


def _target(decoding: int) -> float:
    return GAP_TARGET_S if decoding else ALONE_TARGET_S


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)
