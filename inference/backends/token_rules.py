"""Which tokens end an answer, as a checkpoint says it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from inference.errors import ErrorCode, InferenceError
from inference.model_folder import read_json

ConfiguredIds: TypeAlias = object
"""One id, several, or None: what stands under `eos_token_id`."""


def list_eos_ids(configured: ConfiguredIds, tokenizer_id: int | None) -> frozenset[int]:
    """Return all token ids that end an answer.

    Raises:
        InferenceError: `model_unavailable` if the model names none.

    Source: generation_config.json, tokenizer_config.json.
    """
    ids = configured if isinstance(configured, list) else [configured]
    known = frozenset(int(i) for i in (*ids, tokenizer_id) if i is not None)
    if not known:
        raise InferenceError(
            ErrorCode.MODEL_UNAVAILABLE,
            "The model does not say which token ends an answer (generation_config.json).",
        )
    return known


def read_configured_eos(folder: Path) -> ConfiguredIds:
    """Return what the folder's files say ends an answer; older checkpoints say it in config.json.

    Raises:
        InferenceError: `model_unavailable`, a file is broken.
    """
    if (folder / "generation_config.json").is_file():
        return read_json(folder, "generation_config.json").get("eos_token_id")
    config = read_json(folder, "config.json")
    text = config.get("text_config")
    of_text = text.get("eos_token_id") if isinstance(text, Mapping) else None
    return config.get("eos_token_id", of_text)
