"""Engines around networks that are loaded already: each with caches of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inference.backends.base import ModelFiles
from inference.config import InferenceConfig
from inference.engine.speculation import MOST_DRAFT_TOKENS

if TYPE_CHECKING:
    from inference.backends.engine_loading import LoadedNetworks
    from inference.backends.engine_model import EngineModel


def make_engine_model(
    networks: LoadedNetworks,
    folder: Path,
    config: InferenceConfig,
    *,
    rows: int | None = None,
    draft_tokens: int = MOST_DRAFT_TOKENS,
) -> EngineModel:
    """Start an engine over networks of the checkpoint in `folder`; the caller closes it.

    `rows` fixes how many prompt tokens a step reads, `draft_tokens` limits speculation.
    """
    # Imports torch: not before a test needs it.
    from inference.backends.engine_loading import make_processor, start_engine
    from inference.backends.engine_model import EngineModel
    from inference.backends.token_rules import list_eos_ids, read_configured_eos
    from inference.engine.pace import Pace
    from inference.processor.parts import find_parts

    processor = make_processor(folder, find_parts(folder))
    return EngineModel(
        processor,
        start_engine(networks, config=config, pace=Pace(rows), draft_tokens=draft_tokens),
        shape=networks.shape,
        kernels=networks.kernels.name,
        files=ModelFiles(folder.name, folder),
        config=config,
        eos_ids=list_eos_ids(read_configured_eos(folder), processor.eos_token_id),
    )
