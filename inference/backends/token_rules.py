"""What a checkpoint says about its tokens: which end an answer, and what text they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from inference.errors import ErrorCode, InferenceError
from inference.tokenizer import Decode


def list_eos_ids(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    """Return all token ids that end an answer.

    Raises:
        InferenceError: `model_unavailable` if the model names none.

    Source: generation_config.json, tokenizer_config.json.
    """
    configured = generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    known = frozenset(int(i) for i in (*ids, tokenizer.eos_token_id) if i is not None)
    if not known:
        raise InferenceError(
            ErrorCode.MODEL_UNAVAILABLE,
            "The model does not say which token ends an answer (generation_config.json).",
        )
    return known


def make_decode(tokenizer: Any) -> Decode:  # no common type
    """Return the function from token ids to text, without control tokens."""

    def decode(token_ids: Iterable[int]) -> str:
        text = tokenizer.decode(
            list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(text)

    return decode
