"""The answer while it grows: its tokens, its text events, and when they came.

Shared by the backends that choose tokens themselves; used in the thread that answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from inference.backends.base import Emit
from inference.backends.layer_watch import PrefillProgress
from inference.requests import FinishReason, TextDelta, Timings
from inference.tokenizer import IncrementalDetokenizer


class AnswerWriter:
    """Turns chosen tokens into text events and, at the end, into reason and timings."""

    def __init__(
        self,
        prefix: Iterable[int],
        *,
        detokenizer: IncrementalDetokenizer,
        eos_ids: frozenset[int],
        emit: Emit,
        progress: PrefillProgress,
    ) -> None:
        """Begin behind the tokens that were accepted earlier; `answer_ids` are all so far."""
        self.answer_ids = list(prefix)
        self.progress = progress
        self._detokenizer = detokenizer
        # The prefix's text was sent when its tokens were accepted; only its unfinished end is
        # still to come.
        detokenizer.feed_all(self.answer_ids)
        self._prefix_length = len(self.answer_ids)
        self._eos_ids = eos_ids
        self._emit = emit
        self._has_ended = False
        self._first_at: float | None = None

    def take_token(self, token_id: int) -> None:
        """Take the next token; a token that ends answers is neither kept nor shown."""
        self.progress.end()
        if self._first_at is None:
            self._first_at = monotonic()
        if token_id in self._eos_ids:
            self._has_ended = True
            return
        self.answer_ids.append(token_id)
        self._emit(TextDelta(self._detokenizer.feed(token_id), (token_id,)))

    def finish_reason(self, *, is_cancelled: bool) -> FinishReason:
        """Return why the answer ended, if it does now."""
        if self._has_ended:
            return FinishReason.STOP
        return FinishReason.STOPPED if is_cancelled else FinishReason.LENGTH

    def timings(self, began: float) -> Timings:
        """Return where the time since `began` (of `time.monotonic`) went."""
        now = monotonic()
        first_at = self._first_at or now
        # The first token belongs to the prefill; the speed is that of those behind it.
        decoded = len(self.answer_ids) - self._prefix_length - 1 + self._has_ended
        return Timings(
            vision_ms=self.progress.vision_ms,
            prefill_ms=self.progress.prefill_ms,
            first_token_ms=round((first_at - began) * 1000) if self._first_at else 0,
            total_ms=round((now - began) * 1000),
            tokens_per_s=round(max(decoded, 0) / (now - first_at), 2) if now > first_at else 0.0,
        )
