"""Builds the engine around a checkpoint: weights, networks, caches, thread."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from inference.backends.base import ModelFiles, ReportProgress
from inference.backends.engine_model import EngineModel
from inference.backends.heap import trim_heap
from inference.backends.own_processor import OwnProcessor
from inference.backends.processor_cores import count_physical_cores
from inference.backends.spill_place import ClaimedFolder, claim_folder
from inference.backends.token_rules import list_eos_ids, read_configured_eos
from inference.backends.transformers_processor import load_transformers_processor
from inference.backends.vision_input import Processor
from inference.config import InferenceConfig
from inference.engine.checkpoint import Checkpoint
from inference.engine.engine_thread import EngineThread
from inference.engine.kernels import PORTABLE, choose_kernels
from inference.engine.kernels.base import PAGE_TOKENS, Kernels
from inference.engine.kernels.cache_rows import cache_dtype
from inference.engine.kv_cache import KVCache
from inference.engine.network import ModelNetwork, Network
from inference.engine.pace import Pace
from inference.engine.page_pool import PagePool, allocate_memory, count_page_bytes, pages_within
from inference.engine.picture_cache import PictureCache
from inference.engine.scheduler import Scheduler
from inference.engine.shape import MODEL_TYPE, ModelShape, UnsupportedModelError, read_shape
from inference.engine.speculation import MOST_DRAFT_TOKENS
from inference.engine.spill_folder import SpillFolder
from inference.engine.text import TextModel
from inference.engine.vision import VisionTower
from inference.engine.weights import load_weights
from inference.errors import ErrorCode, InferenceError
from inference.processor.parts import ProcessorParts

logger = logging.getLogger(__name__)

CONTEXTS_KEPT = 32
"""Whole contexts that a cache has room for at most: small models would get millions of pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedNetworks:
    """Both networks of a checkpoint over the memory (L, G, 2, C, S, D) of their cache.

    One engine at a time may run them.
    """

    shape: ModelShape
    kernels: Kernels
    network: Network
    memory: Tensor


@dataclass(frozen=True, slots=True)
class ClaimedSpill:
    """Pages on disk, and the claim to their folder."""

    folder: ClaimedFolder
    pages: SpillFolder


def load_engine_model(
    files: ModelFiles,
    folder: Path,
    *,
    parts: ProcessorParts | None,
    config: InferenceConfig,
    report: ReportProgress,
) -> EngineModel:
    """Load the weights from `folder` and start the engine's thread; `parts` prepare its prompts.

    Raises:
        UnsupportedModelError: the engine cannot run the checkpoint; says why.
        InferenceError: `model_unavailable`, naming the broken file.
    """
    networks = load_networks(folder, config=config, report=report)
    processor = make_processor(folder, parts)
    eos_ids = list_eos_ids(read_configured_eos(folder), processor.eos_token_id)
    spill = _open_spill(folder, networks, config)
    model = EngineModel(
        processor,
        start_engine(networks, config=config, spill=spill),
        shape=networks.shape,
        kernels=networks.kernels.name,
        files=files,
        config=config,
        eos_ids=eos_ids,
    )
    trim_heap()
    return model


def make_processor(folder: Path, parts: ProcessorParts | None) -> Processor:
    """Return our own processor, or transformers' where there are no `parts` for ours.

    Raises:
        InferenceError: `model_unavailable`, torchvision is missing.
        Exception: whatever transformers raises.
    """
    if parts is not None:
        return OwnProcessor(parts)
    return load_transformers_processor(folder, model_type=MODEL_TYPE)


def load_networks(
    folder: Path, *, config: InferenceConfig, report: ReportProgress
) -> LoadedNetworks:
    """Load the weights from `folder` for the best kernels that this machine has for their shapes.

    Raises:
        UnsupportedModelError, InferenceError: as `load_engine_model`.
    """
    shape = read_shape(folder)
    memory = allocate_memory(
        count_pages(shape, config), shape.text, cache_dtype(config.quantization)
    )
    kernels = choose_kernels(threads=config.threads or count_physical_cores())
    for candidate in dict.fromkeys((kernels.name, PORTABLE)):
        if candidate != kernels.name:
            kernels = choose_kernels(candidate)
        try:
            weights = load_weights(
                folder, shape, kernels, config.quantization, report, config.packed_cache_dir
            )
            text, vision = TextModel(weights, kernels, memory), VisionTower(weights, kernels)
        except ValueError as error:  # a width that these kernels lack
            logger.info("The %s kernels cannot run %s: %s.", candidate, folder.name, error)
            reason = error
        else:
            network = ModelNetwork(text, vision)
            return LoadedNetworks(shape=shape, kernels=kernels, network=network, memory=memory)
    raise UnsupportedModelError(str(reason)) from reason


def start_engine(
    networks: LoadedNetworks,
    *,
    config: InferenceConfig,
    spill: ClaimedSpill | None = None,
    pace: Pace | None = None,
    draft_tokens: int = MOST_DRAFT_TOKENS,
) -> EngineThread:
    """Start a thread that runs the networks, with empty caches; `spill` keeps what they forget.

    `draft_tokens` 0 switches speculation off, to compare.
    """

    def make_scheduler() -> Scheduler:
        cache = KVCache(PagePool(networks.memory), spill.pages if spill else None)
        pictures = PictureCache(config.picture_cache_bytes)
        return Scheduler(networks.network, cache, pictures, pace=pace, draft_tokens=draft_tokens)

    return EngineThread(make_scheduler, _surroundings(networks, config, spill))


@contextmanager
def _surroundings(
    networks: LoadedNetworks, config: InferenceConfig, spill: ClaimedSpill | None
) -> Iterator[None]:
    # Beside native kernels torch only does small things, and its threads would take their cores.
    is_portable = networks.kernels.name == PORTABLE
    torch.set_num_threads((config.threads or count_physical_cores()) if is_portable else 1)
    try:
        yield
    finally:
        if spill is not None:
            spill.folder.release()


def count_pages(shape: ModelShape, config: InferenceConfig) -> int:
    """Return how many pages the cache gets: those of its budget, without exaggeration.

    Raises:
        InferenceError: `model_unavailable` if not even one page fits.
    """
    pages = pages_within(config.kv_cache_bytes, shape.text, cache_dtype(config.quantization))
    if pages < 1:
        raise InferenceError(
            ErrorCode.MODEL_UNAVAILABLE,
            f"{config.kv_cache_bytes} bytes are too few for the engine's memory of conversations.",
        )
    return min(pages, CONTEXTS_KEPT * -(-config.context_tokens // PAGE_TOKENS))


def _open_spill(
    checkpoint: Path, networks: LoadedNetworks, config: InferenceConfig
) -> ClaimedSpill | None:
    """Return the place for pages that leave the memory, one for each model and number format."""
    if config.kv_spill_dir is None or not config.kv_spill_bytes:
        return None
    layout = networks.kernels.layout(config.quantization)
    form = f"{layout}/{Checkpoint(checkpoint).fingerprint()}".encode()
    folder = claim_folder(config.kv_spill_dir / hashlib.sha256(form).hexdigest()[:16])
    pages = SpillFolder(
        folder.path,
        fingerprint=form,
        page_bytes=count_page_bytes(networks.shape.text, cache_dtype(config.quantization)),
        budget_bytes=config.kv_spill_bytes,
    )
    return ClaimedSpill(folder, pages)
