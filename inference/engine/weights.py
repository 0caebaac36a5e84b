"""All weights of a model in the form that the kernels read, from a checkpoint or from the cache.

What comes from which tensors on disk is `weight_plan`'s, how it gets into memory `packing`'s, the
file that later starts map `packed_cache`'s; here the parts become the fields that networks read.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from torch import Tensor

from inference.config import Quantization
from inference.engine.checkpoint import Checkpoint
from inference.engine.kernels.base import Kernels, PackedMatrix, TextLayer, VisionLayer
from inference.engine.packed_cache import PackedCache, Residence
from inference.engine.packing import PackedParts, Packing, ReportProgress
from inference.engine.shape import ModelShape
from inference.engine.weight_plan import plan_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergerWeights:
    """Weights of a merger, of `merge` squared patches to one token; all but matrices float32.

    The norm is over one patch (hidden,), or, `is_post_shuffle`, over all patches of a token.
    """

    norm_weight: Tensor
    norm_bias: Tensor
    fc1: PackedMatrix
    fc1_bias: Tensor
    fc2: PackedMatrix
    fc2_bias: Tensor
    is_post_shuffle: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionWeights:
    """Weights of the vision tower.

    `patch_embed` (hidden, patch inputs) is the convolution as a matrix, its inputs channel, frame,
    row, column. `positions` (positions, hidden) float32 is the learnt table of a square grid.
    """

    patch_embed: PackedMatrix
    patch_bias: Tensor
    positions: Tensor
    layers: tuple[VisionLayer, ...]
    merger: MergerWeights
    deepstack: tuple[MergerWeights, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWeights:
    """Weights of both networks; `lm_head` is the very `embedding` where the two are tied."""

    shape: ModelShape
    quantization: Quantization
    embedding: PackedMatrix
    lm_head: PackedMatrix
    final_norm: Tensor
    text_layers: tuple[TextLayer, ...]
    vision: VisionWeights


def ignore_progress(done: int, total: int) -> None:
    """Do nothing with progress."""


def load_weights(  # noqa: PLR0913  # the last two are for places with a disk to spare
    folder: Path,
    shape: ModelShape,
    kernels: Kernels,
    quantization: Quantization,
    report: ReportProgress = ignore_progress,
    cache_dir: Path | None = None,
    *,
    residence: Residence = Residence.MAPPED,
) -> ModelWeights:
    """Return the weights of the checkpoint in `folder`, which must have this shape.

    With a `cache_dir` they are packed into a file there, or, when that has happened before, only
    mapped (see `Residence`). Where that fails they are packed in memory, with a warning in the log.

    Raises:
        InferenceError: `model_unavailable`, naming the file that is missing, damaged or different.
        UnsupportedModelError: the engine cannot read the checkpoint's number format.
        ValueError: the kernels cannot pack one of the shapes.
    """
    began = monotonic()
    parts = plan_weights(shape, quantization)
    checkpoint = Checkpoint(folder)
    checkpoint.check(source for part in parts for source in part.sources)
    packing = Packing(checkpoint, parts, kernels, report=report)
    if cache_dir is None:
        packed = packing.pack_in_memory()
    else:
        packed = packing.take_from_cache(PackedCache(cache_dir, residence))
    logger.info(
        "The weights in %s are ready as %s for %s: %.2f GB after %.1f s.",
        folder,
        quantization,
        kernels.name,
        packed.bytes / 1e9,
        monotonic() - began,
    )
    return _assemble(shape, quantization, packed)


def _assemble(shape: ModelShape, quantization: Quantization, packed: PackedParts) -> ModelWeights:
    embedding = packed.matrix("embedding")
    return ModelWeights(
        shape=shape,
        quantization=quantization,
        embedding=embedding,
        lm_head=embedding if shape.text.is_tied else packed.matrix("lm_head"),
        final_norm=packed.tensor("final_norm"),
        text_layers=tuple(
            _text_layer(packed, f"text_layers.{layer}") for layer in range(shape.text.layers)
        ),
        vision=VisionWeights(
            patch_embed=packed.matrix("vision.patch_embed"),
            patch_bias=packed.tensor("vision.patch_bias"),
            positions=packed.tensor("vision.positions"),
            layers=tuple(
                _vision_layer(packed, f"vision.layers.{layer}")
                for layer in range(shape.vision.depth)
            ),
            merger=_merger(packed, "vision.merger", is_post_shuffle=False),
            deepstack=tuple(
                _merger(packed, f"vision.deepstack.{level}", is_post_shuffle=True)
                for level in range(len(shape.vision.deepstack))
            ),
        ),
    )


def _text_layer(packed: PackedParts, name: str) -> TextLayer:
    return TextLayer(
        input_norm=packed.tensor(f"{name}.input_norm"),
        qkv=packed.matrix(f"{name}.qkv"),
        q_norm=packed.tensor(f"{name}.q_norm"),
        k_norm=packed.tensor(f"{name}.k_norm"),
        o=packed.matrix(f"{name}.o"),
        post_norm=packed.tensor(f"{name}.post_norm"),
        gate_up=packed.matrix(f"{name}.gate_up"),
        down=packed.matrix(f"{name}.down"),
    )


def _vision_layer(packed: PackedParts, name: str) -> VisionLayer:
    return VisionLayer(
        norm1_weight=packed.tensor(f"{name}.norm1_weight"),
        norm1_bias=packed.tensor(f"{name}.norm1_bias"),
        qkv=packed.matrix(f"{name}.qkv"),
        qkv_bias=packed.tensor(f"{name}.qkv_bias"),
        proj=packed.matrix(f"{name}.proj"),
        proj_bias=packed.tensor(f"{name}.proj_bias"),
        norm2_weight=packed.tensor(f"{name}.norm2_weight"),
        norm2_bias=packed.tensor(f"{name}.norm2_bias"),
        fc1=packed.matrix(f"{name}.fc1"),
        fc1_bias=packed.tensor(f"{name}.fc1_bias"),
        fc2=packed.matrix(f"{name}.fc2"),
        fc2_bias=packed.tensor(f"{name}.fc2_bias"),
    )


def _merger(packed: PackedParts, name: str, *, is_post_shuffle: bool) -> MergerWeights:
    return MergerWeights(
        norm_weight=packed.tensor(f"{name}.norm_weight"),
        norm_bias=packed.tensor(f"{name}.norm_bias"),
        fc1=packed.matrix(f"{name}.fc1"),
        fc1_bias=packed.tensor(f"{name}.fc1_bias"),
        fc2=packed.matrix(f"{name}.fc2"),
        fc2_bias=packed.tensor(f"{name}.fc2_bias"),
        is_post_shuffle=is_post_shuffle,
    )
