"""Holds an answer to JSON of a schema: which tokens may come next, and which of a draft fit.

The masks of a step are computed in a thread of the answer's own while the model computes the
scores; the library lets go of the interpreter's lock. Each position's mask follows from the
accepted tokens alone, so an answer that is continued elsewhere is held as the undisturbed one.
Letters: V vocabulary of the scores, k tokens of a draft. Source of the grammar: `llguidance`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from inference.errors import ErrorCode, InferenceError
from inference.requests import SamplingOptions

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from tokenizers import Tokenizer

MAX_SCHEMA_BYTES: Final = 65_536
MAX_REASON_CHARS: Final = 300
VERBOSITY_MARK: Final = "<non-verbose/>"  # the library's, behind some reasons
# A state takes 1 to 2 kB: 40 MB an answer. The largest of ordinary schemas had 300.
MAX_LEXER_STATES: Final = 20_000
# All is said here, so that a schema's own `x-guidance` cannot loosen it. The bound on spaces
# matters: small models fill any gap with spaces without end.
SCHEMA_RULES: Final[Any] = {  # the library's own type is not exported
    "item_separator": ",",
    "key_separator": ":",
    "whitespace_flexible": True,
    "whitespace_pattern": r"[\x20\x0A\x0D\x09]{0,20}",
    "coerce_one_of": False,
    "lenient": False,
}


class JsonConstraint:
    """What one answer may still be. Used by one thread, but for the masks that are computed.

    A step is `look_ahead`, `wait`, and `accept` for each token that was chosen.
    """

    def __init__(
        self,
        matcher: LLMatcher,
        *,
        vocabulary: int,
        eos_ids: frozenset[int],
        worker: ThreadPoolExecutor,
    ) -> None:
        """Stand before a matcher's next token; `worker` computes, one task after the other."""
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._eos_ids = eos_ids
        self._worker = worker
        self._masks: Future[list[Tensor]] | None = None

    def count_fitting(self, draft: Sequence[int]) -> int:
        """Return how many tokens of a draft from its first may follow each other."""
        return self._matcher.validate_tokens(list(draft))

    def look_ahead(self, draft: Sequence[int] = ()) -> None:
        """Begin to compute the masks of the next token and behind each of a fitting draft."""
        self._masks = self._worker.submit(self._compute, tuple(draft))

    def wait(self) -> list[Tensor]:
        """Return what `look_ahead` computed: bool (V,) for each position, 1 + k of them.

        Raises:
            InferenceError: `invalid_options` if the schema takes too much to follow.
        """
        if self._masks is None:
            raise ValueError("nobody looked ahead")
        masks, self._masks = self._masks, None
        return masks.result()

    def accept(self, token_id: int) -> None:
        """Take the chosen token; one that ends the answer changes nothing.

        Raises:
            InferenceError: `invalid_options` for a token that is not allowed.
        """
        if token_id not in self._eos_ids:
            self._matcher.consume_token(token_id)
            self._check()

    def _compute(self, draft: Sequence[int]) -> list[Tensor]:
        masks = [self._mask()]
        for token_id in draft:
            self._matcher.consume_token(token_id)
            masks.append(self._mask())
        if draft:
            self._matcher.rollback(len(draft))
        self._check()
        return masks

    def _mask(self) -> Tensor:
        """Return which tokens may come now, bool (V,)."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        allowed = np.unpackbits(bits, count=self._vocabulary, bitorder="little")
        return torch.from_numpy(allowed).view(torch.bool)

    def _check(self) -> None:
        if self._matcher.is_error():
            raise _invalid(self._matcher.get_error())


class JsonConstraints:
    """Makes the constraints of one model's answers.

    The first that is asked for costs a second with a vocabulary of 150,000 tokens.
    """

    def __init__(
        self, tokenizer: Tokenizer | None, *, vocabulary: int, eos_ids: frozenset[int]
    ) -> None:
        """Stand before a tokenizer; scores have `vocabulary` entries.

        Without a tokenizer of this kind no answer can be held to a schema.
        """
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._eos_ids = eos_ids
        self._lock = threading.Lock()
        self._known: LLTokenizer | None = None

    @contextmanager
    def begin(
        self, options: SamplingOptions, answer_ids: Iterable[int]
    ) -> Iterator[JsonConstraint | None]:
        """Give the constraint of an answer behind `answer_ids`; None where it is free.

        Raises:
            InferenceError: `invalid_options` for a schema that cannot be followed, with the reason,
            and for tokens that do not begin JSON of it.
        """
        if options.schema is None:
            yield None
            return
        matcher = _make_matcher(self._tokens(), options.schema)
        with ThreadPoolExecutor(1, thread_name_prefix="inference-json") as worker:
            constraint = JsonConstraint(
                matcher, vocabulary=self._vocabulary, eos_ids=self._eos_ids, worker=worker
            )
            # Some schemas only turn out to be impossible, or far too wide, at their first token.
            constraint.look_ahead()
            constraint.wait()
            for token_id in answer_ids:
                constraint.accept(token_id)
            yield constraint

    def _tokens(self) -> LLTokenizer:
        """Return the vocabulary as the library knows it; made once."""
        if self._tokenizer is None:
            raise _invalid("this model's tokenizer is of another kind")
        with self._lock:
            if self._known is None:
                self._known = _read_tokens(self._tokenizer, self._vocabulary, self._eos_ids)
            return self._known


def _read_tokens(tokenizer: Tokenizer, vocabulary: int, eos_ids: frozenset[int]) -> LLTokenizer:
    from llguidance import LLTokenizer  # most answers have no schema, and the start has no time

    try:
        return LLTokenizer(
            tokenizer.to_str(),
            n_vocab=max(vocabulary, tokenizer.get_vocab_size(with_added_tokens=True)),
            eos_token=sorted(eos_ids),
        )
    except ValueError as error:
        raise _invalid(f"this model's tokenizer is of another kind ({error})") from error


def _make_matcher(tokens: LLTokenizer, schema: Mapping[str, object]) -> LLMatcher:
    from llguidance import LLMatcher, LLParserLimits  # see above

    text = _write_schema(schema)
    try:
        grammar = LLMatcher.grammar_from_json_schema(text, overrides=SCHEMA_RULES)
    except ValueError as error:
        raise _invalid(str(error)) from error
    limits = LLParserLimits(max_lexer_states=MAX_LEXER_STATES, verbose_errors=False)
    return LLMatcher(tokens, grammar, log_level=0, limits=limits)


def _write_schema(schema: Mapping[str, object]) -> str:
    try:
        text = json.dumps(schema)
    except (RecursionError, TypeError, ValueError) as error:
        raise _invalid(f"it is not JSON ({error})") from error
    if len(text) > MAX_SCHEMA_BYTES:
        raise _invalid(f"it has {len(text)} bytes, and {MAX_SCHEMA_BYTES} are possible")
    return text


def _invalid(reason: str) -> InferenceError:
    line = " ".join(reason.replace(VERBOSITY_MARK, "").split())[:MAX_REASON_CHARS]
    return InferenceError(ErrorCode.INVALID_OPTIONS, f"The JSON schema cannot be followed: {line}")
