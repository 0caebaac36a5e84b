"""What the engine asks of a set of kernels: pack matrices, multiply, run layers.

Two implementations pass the same tests: `native` (C++, chosen by the processor's features) and
`portable` (stock torch operators). All tensors are on the CPU and contiguous; activations are
float32. Calls block, release the GIL while they compute, and may come from one thread at a time.

Letters: see inference.engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from torch import Tensor

from inference.config import Quantization
from inference.engine.shape import TextShape, VisionShape

GROUP: Final = 32
"""Numbers of the cache that share a scale; a quantised matrix has a multiple of it as inputs."""
WEIGHT_GROUPS: Final = {Quantization.INT8: 128, Quantization.INT4: 32}
"""Inputs that share one scale, in weights and in the activations that meet them; the last ones of a
row may be fewer."""
PAGE_TOKENS: Final = 16
"""S, tokens of one page of the key-value cache."""


class Activation(StrEnum):
    """What a product's outputs pass through: nothing, or GELU with the tanh approximation."""

    NONE = "none"
    GELU_TANH = "gelu_tanh"


@dataclass(frozen=True, slots=True)
class PackedMatrix:
    """A weight matrix (N outputs, K inputs) in the form that one set of kernels reads.

    `data` (uint8, one dimension) holds everything, scales included, and may be a read-only mapped
    file. `layout` names the form (`avx2-int8-v3`); kernels refuse a foreign one.
    """

    layout: str
    quantization: Quantization
    outputs: int
    inputs: int
    data: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLayer:
    """Weights of one decoder layer; norms are float32 (H,) and (D,).

    `qkv` has (A + 2C) * D outputs: queries, keys, values. `gate_up` has the gate's outputs, then
    the other's.
    """

    input_norm: Tensor
    qkv: PackedMatrix
    q_norm: Tensor
    k_norm: Tensor
    o: PackedMatrix
    post_norm: Tensor
    gate_up: PackedMatrix
    down: PackedMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionLayer:
    """Weights of one layer of the vision tower; norms and biases are float32."""

    norm1_weight: Tensor
    norm1_bias: Tensor
    qkv: PackedMatrix
    qkv_bias: Tensor
    proj: PackedMatrix
    proj_bias: Tensor
    norm2_weight: Tensor
    norm2_bias: Tensor
    fc1: PackedMatrix
    fc1_bias: Tensor
    fc2: PackedMatrix
    fc2_bias: Tensor


@dataclass(slots=True, kw_only=True)
class TextStep:
    """One pass of M rows, of one or several sequences, through decoder layers.

    `hidden` (M, H) float32 is changed in place. `cos` and `sin` (M, D) float32 are the rows' rotary
    angles. Sequence i owns the rows from `row_starts[i]` to `row_starts[i + 1]`, (B + 1,) int32,
    and its first row has the cache index `first_index[i]`, (B,) int32, the following rows the next
    ones; a row attends to every index up to its own. `page_tables` (B, most pages) int32 gives the
    pages of each sequence in order, -1 behind its end; they must cover all its rows.
    `cache` (L, G, 2, C, S, W), keys then values, takes those of the rows, in a form of cache_rows.
    Behind layer l < number of deep-stack levels, `deep[l]` (R, H) float32 is added to the rows
    `deep_rows` (R,) int32. Behind the last layer only the rows `scored` (n,) int32, ascending, of
    `hidden` count, if given: the others may hold anything then.
    """

    hidden: Tensor
    cos: Tensor
    sin: Tensor
    row_starts: Tensor
    first_index: Tensor
    page_tables: Tensor
    cache: Tensor
    deep: Tensor | None = None
    deep_rows: Tensor | None = None
    scored: Tensor | None = None


class TextLayers(Protocol):
    """All decoder layers of a model, ready to run."""

    def run(self, step: TextStep, first: int, last: int) -> None:
        """Run the layers `first` up to but not including `last`, changing `hidden` and `cache`."""


class VisionLayers(Protocol):
    """All layers of a vision tower, ready to run."""

    def run(
        self, hidden: Tensor, cos: Tensor, sin: Tensor, bounds: Tensor, first: int, last: int
    ) -> None:
        """Run the layers `first` up to but not including `last`, changing `hidden` (P, H).

        `cos` and `sin` (P, D) are rotary angles; patches of picture i, from `bounds[i]` to
        `bounds[i + 1]` (int32), attend to each other only, in both directions.
        """

    def parts(self, bounds: Tensor) -> int:
        """Return in how many parts a layer over these pictures can be run."""

    def run_part(
        self, hidden: Tensor, cos: Tensor, sin: Tensor, bounds: Tensor, layer: int, part: int
    ) -> None:
        """Run one part of a layer; all of them in order do what `run` does, to the bit.

        Raises:
            ValueError: the part is not the next one of the layer that was begun last.
        """


class Kernels(Protocol):
    """A set of kernels for one kind of processor."""

    @property
    def name(self) -> str:
        """Return `avx2`, `portable`, …, for logs, statistics and the packed cache's key."""

    def layout(self, quantization: Quantization, *, has_uneven_inputs: bool = False) -> str:
        """Return the name of the form that `pack` gives for such a matrix, with its version."""

    def packed_bytes(self, outputs: int, inputs: int, quantization: Quantization) -> int:
        """Return the size of a packed matrix."""

    def pack(
        self,
        weight: Tensor,
        quantization: Quantization,
        out: Tensor | None = None,
        *,
        has_uneven_inputs: bool = False,
    ) -> PackedMatrix:
        """Pack a matrix (N, K), bfloat16 or float32, into `out` (uint8) or new memory.

        `has_uneven_inputs` says that a few of a row's inputs carry most of it, as behind an
        activation function; kernels may have a form for that, of the same size.
        """

    def unpack_rows(self, matrix: PackedMatrix, rows: Tensor) -> Tensor:
        """Return some rows (T, K) float32 of a packed matrix; `rows` is int64 (T,)."""

    def linear(
        self,
        x: Tensor,
        matrix: PackedMatrix,
        bias: Tensor | None = None,
        activation: Activation = Activation.NONE,
    ) -> Tensor:
        """Return activation(x @ matrix.T + bias): (M, K) float32 to (M, N) float32."""

    def text_layers(self, shape: TextShape, layers: Sequence[TextLayer]) -> TextLayers:
        """Prepare decoder layers; the weights must outlive them."""

    def vision_layers(self, shape: VisionShape, layers: Sequence[VisionLayer]) -> VisionLayers:
        """Prepare the layers of a tower; the weights must outlive them."""
