"""The vision tower: from the patches of pictures to features that stand for their image tokens.

A batch of pictures runs through the layers together, one part of a layer a step, so that a
scheduler can let answers go on between two steps, report progress and drop a pass whose askers have
gone. Passes may take turns only after whole layers, whose parts share memory. Behind some layers a
merger makes the deep-stack features, behind the last one the tokens themselves.
This module knows the order of things; the layers belong to the kernels. Thread-confined.
Letters: P patches, N = P / merge² tokens, H hidden width, D head width.
Source: Qwen3VLVisionModel, transformers 5.24.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from inference.config import Quantization
from inference.engine.kernels.base import Kernels
from inference.engine.rope import PatchGrid, patch_positions, vision_angles
from inference.engine.weights import MergerWeights, ModelWeights

LAYER_NORM_EPS = 1e-6

Watch = Callable[[int, int], None]
"""Told the layers done and their number before each step; may raise to end the work."""


@dataclass(frozen=True, slots=True)
class PicturePatches:
    """A picture as the image processor gives it.

    `pixels` (P, patch_inputs) float32 is its `pixel_values`, in merge-block order; `rows` and
    `columns` of patches are its `image_grid_thw` without the time. With a `scale` (2, C) float32,
    mean and deviation of each channel, `pixels` are still bytes (P, patch_inputs / T), one frame of
    them: an eighth of the memory, as long as a request takes.
    """

    pixels: Tensor
    rows: int
    columns: int
    scale: Tensor | None = None

    @property
    def grid(self) -> PatchGrid:
        """Return rows and columns of patches."""
        return PatchGrid(self.rows, self.columns)

    def numbers(self, patch_inputs: int) -> Tensor:
        """Return what the tower takes, (P, patch_inputs) float32.

        Raises:
            ValueError: pixels of another shape than the grid says.
        """
        patches, width = self.grid.patches, patch_inputs
        frames = 1
        if self.scale is not None:
            frames = patch_inputs // max(1, self.pixels.shape[-1])
            width = patch_inputs // max(1, frames)
        if self.pixels.shape != (patches, width):
            got = tuple(self.pixels.shape)
            raise ValueError(f"expected pixels of shape {(patches, width)}, got {got}")
        if self.scale is None:
            return self.pixels
        mean, deviation = self.scale.view(2, -1, 1, 1)
        # (P, C·S·S) -> (P, C, 1, S·S) -> (P, C, T, S·S)
        pixels = self.pixels.view(patches, len(mean), 1, -1)
        numbers = pixels.float().sub_(mean).div_(deviation)
        return numbers.expand(-1, -1, frames, -1).reshape(patches, -1)


@dataclass(frozen=True, slots=True)
class PictureFeatures:
    """What the language model sees of a picture, float32 or bfloat16.

    `tokens` (N, H) stand in place of the embeddings of its image tokens; `deep` (levels, N, H) are
    added behind the first layers.
    """

    tokens: Tensor
    deep: Tensor


class VisionTower:
    """Encodes pictures; one for each loaded model."""

    def __init__(self, weights: ModelWeights, kernels: Kernels) -> None:
        """Prepare the layers; `kernels` are those that packed the weights."""
        self.weights = weights.vision
        self.shape = weights.shape.vision
        self.kernels = kernels
        self.layers = kernels.vision_layers(self.shape, weights.vision.layers)
        self.features_dtype = _features_dtype(weights.quantization)

    def start(self, pictures: Sequence[PicturePatches]) -> VisionPass:
        """Begin to encode some pictures, at least one.

        Raises:
            ValueError: no picture, pixels of another shape than the grid says, broken blocks.
        """
        if not pictures:
            raise ValueError("expected at least one picture")
        return VisionPass(self, pictures)

    def encode(
        self, pictures: Sequence[PicturePatches], watch: Watch | None = None
    ) -> list[PictureFeatures]:
        """Return the features of some pictures, in order.

        Raises:
            ValueError: as `start`; and whatever `watch` raises.
        """
        run = self.start(pictures)
        while run.layers_done < run.layers:
            if watch is not None:
                watch(run.layers_done, run.layers)
            run.step()
        return run.features()


class VisionPass:
    """Some pictures on their way through the tower."""

    def __init__(self, tower: VisionTower, pictures: Sequence[PicturePatches]) -> None:
        """Embed the patches.

        Raises:
            ValueError: as `VisionTower.start`.
        """
        self._tower = tower
        shape, weights = tower.shape, tower.weights
        grids = [picture.grid for picture in pictures]
        pixels = torch.cat([picture.numbers(shape.patch_inputs) for picture in pictures])
        places = [patch_positions(weights.positions, grid, merge=shape.merge) for grid in grids]
        angles = [vision_angles(grid, head_dim=shape.head_dim, merge=shape.merge) for grid in grids]
        self._hidden = tower.kernels.linear(pixels, weights.patch_embed, weights.patch_bias)
        self._hidden += torch.cat(places)
        self._cos = torch.cat([cos for cos, _ in angles])
        self._sin = torch.cat([sin for _, sin in angles])
        self._tokens = [grid.tokens(shape.merge) for grid in grids]
        edges = accumulate((grid.patches for grid in grids), initial=0)
        self._bounds = torch.tensor(list(edges), dtype=torch.int32)
        self._parts = tower.layers.parts(self._bounds)
        self._part = 0
        self._deep: list[Tensor] = []
        self.layers_done = 0

    @property
    def layers(self) -> int:
        """Return how many layers the pictures pass."""
        return self._tower.shape.depth

    def step(self) -> bool:
        """Run the next part of a layer, behind its last one the layer's deep-stack merger.

        Returns whether anything is left.

        Raises:
            ValueError: all layers are done, or another pass has begun since the layer's last part.
        """
        tower, index = self._tower, self.layers_done
        if index == self.layers:
            raise ValueError(f"all {index} layers are done")
        pictures = self._hidden, self._cos, self._sin, self._bounds
        tower.layers.run_part(*pictures, index, self._part)
        self._part += 1
        if self._part == self._parts:
            self._part = 0
            self._end_layer(index)
        return self.layers_done < self.layers

    def features(self) -> list[PictureFeatures]:
        """Return the features of each picture.

        Raises:
            ValueError: layers are left.
        """
        if self.layers_done < self.layers:
            raise ValueError(f"{self.layers - self.layers_done} layers are left")
        tokens = self._merge(self._tower.weights.merger)
        # (levels, N, H); a model without deep stack has no levels
        deep = torch.stack(self._deep) if self._deep else tokens.new_empty(0, *tokens.shape)
        # Copies, so that a picture kept in a cache does not keep the whole batch in memory.
        dtype = self._tower.features_dtype
        return [
            PictureFeatures(part.to(dtype, copy=True), levels.to(dtype, copy=True))
            for part, levels in zip(
                torch.split(tokens, self._tokens),
                torch.split(deep, self._tokens, dim=1),
                strict=True,
            )
        ]

    def _end_layer(self, index: int) -> None:
        deepstack = self._tower.shape.deepstack
        if index in deepstack:
            merger = self._tower.weights.deepstack[deepstack.index(index)]
            self._deep.append(self._merge(merger))
        self.layers_done += 1

    def _merge(self, merger: MergerWeights) -> Tensor:
        """Return (N, H of the language model) from the patches as they are now."""
        linear, block = self._tower.kernels.linear, self._tower.shape.merge**2
        hidden = self._hidden
        if merger.is_post_shuffle:
            # (P, H) -> (N, merge² * H)
            hidden = hidden.view(-1, block * hidden.shape[1])
        weight = merger.norm_weight
        normed = functional.layer_norm(
            hidden, weight.shape, weight, merger.norm_bias, LAYER_NORM_EPS
        )
        inner = linear(normed.view(-1, merger.fc1.inputs), merger.fc1, merger.fc1_bias)
        # The mergers use the exact GELU, unlike the layers.
        return linear(functional.gelu(inner), merger.fc2, merger.fc2_bias)


def _features_dtype(quantization: Quantization) -> torch.dtype:
    """Return what features are kept in: beside quantised weights half of the memory.

    10 MB a picture of 300 tokens would be 0.12 GB for eight people. bfloat16 is 0.2 % off, int8
    weights make the whole answer's scores 0.6 %.
    """
    is_quantised = quantization in (Quantization.INT8, Quantization.INT4)
    return torch.bfloat16 if is_quantised else torch.float32
