"""The answer while it grows: its tokens, its text events, and when they came.

Shared by the backends that choose tokens themselves; used in the thread that answers.
"""

from __future__ import annotations

from time import monotonic

from inference.backends.base import Emit
from inference.backends.layer_watch import PrefillProgress
from inference.loop_guard import LoopGuard
from inference.requests import (
    FinishReason,
    GenerationRequest,
    ScoredToken,
    TextDelta,
    Timings,
    TokenLogprobs,
)
from inference.sampling import Choice
from inference.stop_strings import StopStrings
from inference.token_bytes import TokenBytes
from inference.tokenizer import IncrementalDetokenizer


class AnswerWriter:
    """Turns chosen tokens into text events and, at the end, into reason and timings."""

    def __init__(
        self,
        request: GenerationRequest,
        *,
        detokenizer: IncrementalDetokenizer,
        token_bytes: TokenBytes,
        eos_ids: frozenset[int],
        emit: Emit,
        progress: PrefillProgress,
    ) -> None:
        """Begin behind the tokens that were accepted earlier; `answer_ids` are all so far."""
        self.answer_ids: list[int] = []
        self.progress = progress
        self._detokenizer = detokenizer
        self._token_bytes = token_bytes
        self._guard = LoopGuard() if request.options.is_loop_guarded else None
        self._stops = StopStrings(request.options.stop)
        # The prefix's text was sent when its tokens were accepted; only its unfinished end is
        # still to come.
        for token_id in request.prefix_token_ids:
            self._accept(token_id)
        self._stops.skip(request.shown_chars)
        self._prefix_length = len(self.answer_ids)
        self._eos_ids = eos_ids
        self._emit = emit
        self._has_end_token = False
        self._first_at: float | None = None

    @property
    def is_complete(self) -> bool:
        """Say whether no token may follow: an end token or a stop string came, or it is a loop.

        So it may be from the start, behind a prefix that is complete already.
        """
        return self._has_end_token or self._stops.is_found or self._is_looping

    def take(self, choice: Choice) -> None:
        """Take the next token; a token that ends answers is neither kept nor shown.

        Nor is one behind a complete answer: backends may be a token or two ahead.
        """
        if self.is_complete:
            return
        self.progress.end()
        if self._first_at is None:
            self._first_at = monotonic()
        token_id = choice.token_id
        if token_id in self._eos_ids:
            self._has_end_token = True
            return
        self._emit(TextDelta(self._accept(token_id), (token_id,), self._logprobs(choice)))

    def end(self, *, is_cancelled: bool) -> FinishReason:
        """Show text that a stop string might have begun with; return why the answer ends now.

        Behind a wish to stop it is kept back: another worker may go on with this answer.
        """
        reason = self._finish_reason(is_cancelled=is_cancelled)
        if reason is not FinishReason.STOPPED and (text := self._stops.release()):
            self._emit(TextDelta(text, ()))
        return reason

    def _finish_reason(self, *, is_cancelled: bool) -> FinishReason:
        if self._has_end_token or self._stops.is_found:
            return FinishReason.STOP
        if self._is_looping:
            return FinishReason.REPETITION
        return FinishReason.STOPPED if is_cancelled else FinishReason.LENGTH

    def timings(self, began: float) -> Timings:
        """Return where the time since `began` (of `time.monotonic`) went."""
        now = monotonic()
        first_at = self._first_at or now
        # The first token belongs to the prefill; the speed is that of those behind it.
        decoded = len(self.answer_ids) - self._prefix_length - 1 + self._has_end_token
        return Timings(
            vision_ms=self.progress.vision_ms,
            prefill_ms=self.progress.prefill_ms,
            first_token_ms=round((first_at - began) * 1000) if self._first_at else 0,
            total_ms=round((now - began) * 1000),
            tokens_per_s=round(max(decoded, 0) / (now - first_at), 2) if now > first_at else 0.0,
        )

    @property
    def _is_looping(self) -> bool:
        return self._guard is not None and self._guard.is_looping

    def _logprobs(self, choice: Choice) -> tuple[TokenLogprobs, ...]:
        if choice.scores is None:
            return ()
        chosen = self._score(choice.token_id, choice.scores.chosen)
        top = tuple(self._score(token_id, score) for token_id, score in choice.scores.top)
        return (TokenLogprobs(chosen, top),)

    def _score(self, token_id: int, logprob: float) -> ScoredToken:
        return ScoredToken(token_id, self._token_bytes(token_id), logprob)

    def _accept(self, token_id: int) -> str:
        """Make a token part of the answer; return the text that became certain."""
        self.answer_ids.append(token_id)
        text = self._detokenizer.feed(token_id)
        if self._guard is not None:
            self._guard.take(token_id, text)
        return self._stops.take(text)
