"""How fast prompts and pictures are read, as answers that ended tell it."""

from __future__ import annotations

from typing import Final

from inference.requests import Timings, Usage

KEPT_SHARE: Final = 0.7
"""What an earlier answer still counts beside the next one: the last few make the figure."""
MIN_TOKENS: Final = 16
"""Of fewer tokens the time says more about the rest of the work."""


class ReadingSpeed:
    """Means over the latest answers, weighted by their tokens; for one thread at a time."""

    def __init__(self) -> None:
        """Start without any answer."""
        self._vision = _Mean()
        self._prefill = _Mean()

    @property
    def vision_tokens_per_s(self) -> float:
        """Return the image tokens that the vision tower reads in a second; 0: not known yet."""
        return self._vision.tokens_per_s

    @property
    def prefill_tokens_per_s(self) -> float:
        """Return the prompt tokens that the text model reads in a second; 0: not known yet."""
        return self._prefill.tokens_per_s

    def count(self, usage: Usage, timings: Timings) -> None:
        """Take note of an answer that ended.

        Remembered pictures take no time and tell nothing; of a prompt whose beginning was
        remembered only the rest was read.
        """
        read = usage.prompt_tokens - usage.cached_tokens
        self._vision.count(min(usage.image_tokens, read), timings.vision_ms)
        self._prefill.count(read, timings.prefill_ms)


class _Mean:
    def __init__(self) -> None:
        self._tokens = 0.0
        self._ms = 0.0

    @property
    def tokens_per_s(self) -> float:
        return round(1000 * self._tokens / self._ms, 2) if self._ms else 0.0

    def count(self, tokens: int, ms: int) -> None:
        if tokens < MIN_TOKENS or ms <= 0:
            return
        self._tokens = KEPT_SHARE * self._tokens + tokens
        self._ms = KEPT_SHARE * self._ms + ms
