"""The readable reference of the kernels: stock torch operators, for any processor.

A quantised matrix is rows of groups: 128 inputs of an output (int4: 32) share one bfloat16 scale,
which is rounded away from zero before the weights are divided by it, so that no weight leaves the
range. int8 uses -127 to 127, and a weight that outweighs the others of its group stands apart;
int4 lets the largest weight of a group be -8, so all 16 levels are used.
Products widen a block of outputs to float32 and leave the activations as they are: the native
kernels, which quantise those too, are held against this. Letters: N outputs, K inputs, M rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from inference.config import Quantization
from inference.engine.kernels.base import (
    GROUP,
    WEIGHT_GROUPS,
    Activation,
    PackedMatrix,
    TextLayer,
    TextLayers,
    VisionLayer,
    VisionLayers,
)
from inference.engine.kernels.group_scales import (
    Narrow,
    count_groups,
    divide,
    narrow_groups,
    round_away,
    split,
    widen_groups,
)
from inference.engine.kernels.portable_layers import PortableTextLayers, PortableVisionLayers
from inference.engine.shape import TextShape, VisionShape

# Weights widened at a time: 4 MB in float32 stays in the second or third level of the cache, and
# the largest matrix of the 2B shape, 311 million weights, never stands in memory in float32.
BLOCK_WEIGHTS: Final = 1 << 20
VERSION: Final = 2
WEIGHT_BITS: Final = {
    Quantization.INT8: 8,
    Quantization.INT4: 4,
    Quantization.BF16: 16,
    Quantization.FP32: 32,
}
# A bfloat16, and in int8 the weight that stands apart, as another.
SCALE_BYTES: Final = {Quantization.INT8: 4, Quantization.INT4: 2}
_FLOATS: Final = {Quantization.BF16: torch.bfloat16, Quantization.FP32: torch.float32}


class PortableKernels:
    """Kernels for every processor; satisfies `Kernels`."""

    @property
    def name(self) -> str:
        """Return `portable`."""
        return "portable"

    def layout(self, quantization: Quantization, *, has_uneven_inputs: bool = False) -> str:
        """Return the name of the form that `pack` gives, with its version: one for all inputs."""
        return f"portable-{quantization}-v{VERSION}"

    def packed_bytes(self, outputs: int, inputs: int, quantization: Quantization) -> int:
        """Return the size of a packed matrix.

        Raises:
            ValueError: a quantised matrix whose inputs are no multiple of 32.
        """
        scales = 0
        if quantization not in _FLOATS:
            _check_groups(inputs)
            groups = count_groups(inputs, WEIGHT_GROUPS[quantization])
            scales = outputs * groups * SCALE_BYTES[quantization]
        return outputs * inputs * WEIGHT_BITS[quantization] // 8 + scales

    def pack(
        self,
        weight: Tensor,
        quantization: Quantization,
        out: Tensor | None = None,
        *,
        has_uneven_inputs: bool = False,  # inputs are not quantised here
    ) -> PackedMatrix:
        """Pack a matrix (N, K), bfloat16 or float32, into `out` (uint8) or new memory.

        Raises:
            ValueError: not a matrix, inputs that are no multiple of 32, or `out` of another size.
        """
        if weight.dim() != 2:  # noqa: PLR2004  # (N, K)
            raise ValueError(f"expected a matrix (outputs, inputs), got {tuple(weight.shape)}")
        outputs, inputs = weight.shape
        size = self.packed_bytes(outputs, inputs, quantization)
        data = torch.empty(size, dtype=torch.uint8) if out is None else out
        if data.dtype is not torch.uint8 or data.shape != (size,):
            got = f"{tuple(data.shape)} {data.dtype}"
            raise ValueError(f"expected out to be ({size},) torch.uint8, got {got}")
        matrix = PackedMatrix(self.layout(quantization), quantization, outputs, inputs, data)
        codes, scales = _parts(matrix)
        for rows in _blocks(outputs, inputs):
            if scales is None:
                codes[rows] = weight[rows].to(codes.dtype)
            else:
                codes[rows], scales[rows] = _quantise(weight[rows].float(), quantization)
        return matrix

    def unpack_rows(self, matrix: PackedMatrix, rows: Tensor) -> Tensor:
        """Return some rows (T, K) float32 of a packed matrix; `rows` is int64 (T,).

        Raises:
            ValueError: a matrix that other kernels packed.
            IndexError: a row that the matrix does not have.
        """
        self._check_layout(matrix)
        codes, scales = _parts(matrix)
        return _widen(codes[rows], None if scales is None else scales[rows])

    def linear(
        self,
        x: Tensor,
        matrix: PackedMatrix,
        bias: Tensor | None = None,
        activation: Activation = Activation.NONE,
    ) -> Tensor:
        """Return activation(x @ matrix.T + bias): (M, K) float32 to (M, N) float32.

        Raises:
            ValueError: a matrix that other kernels packed, or `x` of another width.
        """
        self._check_layout(matrix)
        if x.dim() != 2 or x.shape[1] != matrix.inputs:  # noqa: PLR2004  # (M, K)
            raise ValueError(f"expected x to be (rows, {matrix.inputs}), got {tuple(x.shape)}")
        product = _multiply(x, matrix)
        if bias is not None:
            product += bias
        if activation is Activation.GELU_TANH:
            return functional.gelu(product, approximate="tanh")
        return product

    def text_layers(self, shape: TextShape, layers: Sequence[TextLayer]) -> TextLayers:
        """Prepare decoder layers; the weights must outlive them."""
        return PortableTextLayers(shape, layers, self.linear)

    def vision_layers(self, shape: VisionShape, layers: Sequence[VisionLayer]) -> VisionLayers:
        """Prepare the layers of a tower; the weights must outlive them."""
        return PortableVisionLayers(shape, layers, self.linear)

    def _check_layout(self, matrix: PackedMatrix) -> None:
        expected = self.layout(matrix.quantization)
        if matrix.layout != expected:
            raise ValueError(f"expected a matrix in the form {expected}, got {matrix.layout}")


def _multiply(x: Tensor, matrix: PackedMatrix) -> Tensor:
    codes, scales = _parts(matrix)
    if codes.dtype is torch.float32:
        return functional.linear(x, codes)
    product = torch.empty(x.shape[0], matrix.outputs)
    for rows in _blocks(matrix.outputs, matrix.inputs):
        weight = _widen(codes[rows], None if scales is None else scales[rows])
        product[:, rows] = x @ weight.T
    return product


def _blocks(outputs: int, inputs: int) -> Iterator[slice]:
    """Yield ranges of outputs that are widened together."""
    step = max(1, BLOCK_WEIGHTS // inputs)
    for start in range(0, outputs, step):
        yield slice(start, min(start + step, outputs))


def _parts(matrix: PackedMatrix) -> tuple[Tensor, Tensor | None]:
    """Return views of a matrix: its weights (N, K or K / 2), and scales (N, groups) if it has any.

    The weights come first in memory, row by row, then all scales, in int8 each with the weight that
    stands apart in its group, or 0: (N, 2 groups).
    """
    quantization, data = matrix.quantization, matrix.data
    if quantization in _FLOATS:
        return data.view(_FLOATS[quantization]).view(matrix.outputs, matrix.inputs), None
    split = matrix.outputs * matrix.inputs * WEIGHT_BITS[quantization] // 8
    element = torch.int8 if quantization is Quantization.INT8 else torch.uint8
    codes = data[:split].view(element).view(matrix.outputs, -1)
    return codes, data[split:].view(torch.bfloat16).view(matrix.outputs, -1)


def _quantise(weight: Tensor, quantization: Quantization) -> tuple[Tensor, Tensor]:
    """Return codes and scales of some outputs (n, K), as `_parts` has them."""
    groups = split(weight, WEIGHT_GROUPS[quantization])
    if quantization is Quantization.INT8:
        parts = narrow_groups(groups)
        behind = torch.stack([parts.scales, parts.outliers], dim=-1)
        return parts.cells.flatten(1)[:, : weight.shape[1]], behind.flatten(1)
    largest = groups.abs().argmax(-1, keepdim=True)
    scales = round_away(groups.gather(-1, largest).squeeze(-1) / -8)
    levels = (divide(groups, scales, -8, 7) + 8).to(torch.uint8)
    # A byte holds input i of its group low and input i + 16 high: each half widens to a run.
    low, high = levels.chunk(2, dim=-1)
    return (low | (high << 4)).flatten(1), scales


def _widen(codes: Tensor, scales: Tensor | None) -> Tensor:
    """Return the weights (n, K) float32 of codes; int4 codes are uint8, two in a byte."""
    if scales is None:
        return codes.float()
    if codes.dtype is torch.int8:
        cells = split(codes, WEIGHT_GROUPS[Quantization.INT8])
        parts = Narrow(cells, *scales.view(len(codes), -1, 2).unbind(-1))
        return widen_groups(parts).flatten(1)[:, : codes.shape[1]].contiguous()
    pairs = codes.view(len(codes), -1, WEIGHT_GROUPS[Quantization.INT4] // 2)
    levels = torch.cat([pairs & 0xF, pairs >> 4], dim=-1).float() - 8
    return (levels * scales.float().unsqueeze(-1)).flatten(1)


def _check_groups(inputs: int) -> None:
    if inputs % GROUP:
        raise ValueError(f"expected a multiple of {GROUP} inputs, got {inputs}")
