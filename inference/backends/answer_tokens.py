"""What a loaded model's tokens mean in its answers: their text, their bytes, ends, and JSON.

Shared by the backends that choose tokens themselves; one for each model, used by all its slots.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

from inference.backends.answer_writer import AnswerWriter
from inference.backends.base import Emit
from inference.backends.layer_watch import PrefillProgress
from inference.backends.vision_input import Processor
from inference.json_constraint import JsonConstraint, JsonConstraints
from inference.requests import GenerationRequest, SamplingOptions
from inference.token_bytes import make_token_bytes
from inference.tokenizer import IncrementalDetokenizer


class AnswerTokens:
    """Begins answers of one model."""

    def __init__(self, processor: Processor, *, vocabulary: int, eos_ids: frozenset[int]) -> None:
        """Read the processor's tokenizer; the model's scores have `vocabulary` entries."""
        self._decode = processor.decode
        self._eos_ids = eos_ids
        tokenizer = processor.tokenizer
        self._token_bytes = (
            self._decoded_bytes if tokenizer is None else make_token_bytes(tokenizer)
        )
        self._constraints = JsonConstraints(tokenizer, vocabulary=vocabulary, eos_ids=eos_ids)

    def begin(
        self, request: GenerationRequest, *, emit: Emit, progress: PrefillProgress
    ) -> AnswerWriter:
        """Return the writer of a request's answer, behind its prefix."""
        return AnswerWriter(
            request,
            detokenizer=IncrementalDetokenizer(self._decode),
            token_bytes=self._token_bytes,
            eos_ids=self._eos_ids,
            emit=emit,
            progress=progress,
        )

    def constrain(
        self, options: SamplingOptions, answer_ids: Iterable[int]
    ) -> AbstractContextManager[JsonConstraint | None]:
        """Hold an answer to its schema as long as the context lasts; see `JsonConstraints.begin`.

        Raises:
            InferenceError: `invalid_options`.
        """
        return self._constraints.begin(options, answer_ids)

    def _decoded_bytes(self, token_id: int) -> bytes:
        return self._decode([token_id]).encode()
