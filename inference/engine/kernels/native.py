"""Kernels in C++ for one instruction set; the sources and their contracts are in src/.

Matrices lie in blocks of outputs and groups of inputs (src/forms.h); inputs must be a multiple
of 32 in every form. Beside int8 and int4 the activations are quantised too, in groups of a
row: to int16 with `avx2`, exact but for 2^-16 of a group's largest number; to int8 with `avx512`,
and groups of an outlier to twice that (src/kinds_quads.h). Uneven inputs of an int8 matrix are
made even before (src/hadamard.h). All shapes are checked here, before addresses go to C. Results
do not depend on the number of threads.
Letters: M rows, K inputs, N outputs.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from inference.config import Quantization
from inference.engine.kernels.base import (
    GROUP,
    Activation,
    PackedMatrix,
    TextLayer,
    TextLayers,
    VisionLayer,
    VisionLayers,
)
from inference.engine.kernels.native_layers import NativeTextLayers, NativeVisionLayers
from inference.engine.kernels.native_library import Matrix, check_status, open_library
from inference.engine.kernels.tensor_checks import check_tensor
from inference.engine.shape import TextShape, VisionShape

LAYOUT_VERSION: Final = 3
"""Raised whenever src/forms.h changes, so that packed caches on disk are made again."""
FORMS: Final = {
    Quantization.INT8: 0,
    Quantization.INT4: 1,
    Quantization.BF16: 2,
    Quantization.FP32: 3,
}
SPREAD_INT8: Final = 4
"""The form of an int8 matrix with uneven inputs."""
_SOURCES: Final = (torch.bfloat16, torch.float32)
_PROBE_ROUNDS: Final = 2_000_000


class NativeKernels:
    """Kernels of one instruction set; satisfies `Kernels`."""

    def __init__(self, name: str, *, threads: int | None = None) -> None:
        """Load the kernels `name` and let them use `threads` threads, by default as many as torch.

        The threads start with the first call that has work for them.

        Raises:
            LibraryUnusableError: the kernels were not built or are of another version.
        """
        self._name = name
        self._library = open_library(name)
        self.set_threads(threads or torch.get_num_threads())

    @property
    def name(self) -> str:
        """Return the instruction set."""
        return self._name

    @property
    def uses_amx(self) -> bool:
        """Say whether many rows run in the processor's AMX registers."""
        return bool(self._library.vl_uses_amx())

    def set_threads(self, count: int) -> None:
        """Let `count` threads compute, the caller's among them; holds for the whole process.

        Raises:
            ValueError: less than one.
        """
        if count < 1:
            raise ValueError(f"expected at least 1 thread, got {count}")
        self._library.vl_set_threads(count)

    def layout(self, quantization: Quantization, *, has_uneven_inputs: bool = False) -> str:
        """Return the name of the form that `pack` gives, with its version."""
        is_spread = has_uneven_inputs and quantization is Quantization.INT8
        kind = f"{quantization}-spread" if is_spread else quantization
        return f"{self._name}-{kind}-v{LAYOUT_VERSION}"

    def packed_bytes(self, outputs: int, inputs: int, quantization: Quantization) -> int:
        """Return the size of a packed matrix.

        Raises:
            ValueError: the inputs are no multiple of 32.
        """
        if outputs < 1 or inputs < 1 or inputs % GROUP:
            raise ValueError(
                f"expected outputs and a multiple of {GROUP} inputs, got {outputs}, {inputs}"
            )
        size: int = self._library.vl_packed_bytes(outputs, inputs, FORMS[quantization])
        return size

    def read_bytes(self, outputs: int, inputs: int, quantization: Quantization) -> int:
        """Return how much of a packed matrix a product reads where no weight stands apart."""
        size: int = self._library.vl_read_bytes(outputs, inputs, FORMS[quantization])
        return size

    def pack(
        self,
        weight: Tensor,
        quantization: Quantization,
        out: Tensor | None = None,
        *,
        has_uneven_inputs: bool = False,
    ) -> PackedMatrix:
        """Pack a matrix (N, K), bfloat16 or float32, into `out` (uint8) or new memory.

        New memory asks for huge pages.

        Raises:
            ValueError: not such a matrix, or `out` of another size.
        """
        if weight.dim() != 2 or weight.dtype not in _SOURCES:  # noqa: PLR2004  # (N, K)
            got = f"{tuple(weight.shape)} {weight.dtype}"
            raise ValueError(f"expected a matrix, bfloat16 or float32, got {got}")
        check_tensor("weight", weight, tuple(weight.shape), weight.dtype)
        outputs, inputs = weight.shape
        size = self.packed_bytes(outputs, inputs, quantization)
        packed = self._allocate(size) if out is None else out
        check_tensor("out", packed, (size,), torch.uint8)
        layout = self.layout(quantization, has_uneven_inputs=has_uneven_inputs)
        matrix = PackedMatrix(layout, quantization, outputs, inputs, packed)
        is_bf16 = weight.dtype is torch.bfloat16
        described = ctypes.byref(self.describe(matrix))
        check_status(
            self._library.vl_pack(weight.data_ptr(), is_bf16, described, packed.data_ptr())
        )
        return matrix

    def unpack_rows(self, matrix: PackedMatrix, rows: Tensor) -> Tensor:
        """Return some rows (T, K) float32 of a packed matrix; `rows` is int64 (T,).

        Raises:
            ValueError: a matrix that other kernels packed, or rows of another type.
            IndexError: a row that the matrix does not have.
        """
        described = self.describe(matrix)
        check_tensor("rows", rows, (rows.numel(),), torch.int64)
        result = torch.empty(rows.numel(), matrix.inputs)
        numbers: list[int] = rows.tolist()
        if not numbers:
            return result
        if min(numbers) < 0 or max(numbers) >= matrix.outputs:
            raise IndexError(f"expected rows from 0 to {matrix.outputs - 1}, got {numbers}")
        arguments = (rows.data_ptr(), rows.numel(), result.data_ptr())
        check_status(self._library.vl_unpack_rows(ctypes.byref(described), *arguments))
        return result

    def linear(
        self,
        x: Tensor,
        matrix: PackedMatrix,
        bias: Tensor | None = None,
        activation: Activation = Activation.NONE,
    ) -> Tensor:
        """Return activation(x @ matrix.T + bias): (M, K) float32 to (M, N) float32.

        Raises:
            ValueError: a matrix that other kernels packed, `x` or `bias` of another shape.
        """
        described = self.describe(matrix)
        check_tensor("x", x, (x.numel() // matrix.inputs, matrix.inputs))
        if bias is not None:
            check_tensor("bias", bias, (matrix.outputs,))
        result = torch.empty(x.shape[0], matrix.outputs)
        check_status(
            self._library.vl_linear(
                ctypes.byref(described),
                x.data_ptr(),
                x.shape[0],
                None if bias is None else bias.data_ptr(),
                activation is Activation.GELU_TANH,
                result.data_ptr(),
            )
        )
        return result

    def text_layers(self, shape: TextShape, layers: Sequence[TextLayer]) -> TextLayers:
        """Prepare decoder layers; the weights must outlive them.

        Raises:
            ValueError: a weight of another shape, or packed by other kernels.
        """
        return NativeTextLayers(self._library, self.describe, shape, layers)

    def vision_layers(self, shape: VisionShape, layers: Sequence[VisionLayer]) -> VisionLayers:
        """Prepare the layers of a tower; the weights must outlive them.

        Raises:
            ValueError: a weight of another shape, or packed by other kernels.
        """
        return NativeVisionLayers(self._library, self.describe, shape, layers)

    def describe(self, matrix: PackedMatrix) -> Matrix:
        """Return the matrix as C sees it; valid while its bytes live.

        Raises:
            ValueError: a matrix that other kernels packed, or bytes of another size.
        """
        plain = self.layout(matrix.quantization)
        if matrix.layout not in {plain, self.layout(matrix.quantization, has_uneven_inputs=True)}:
            raise ValueError(f"expected a matrix in the form {plain}, got {matrix.layout}")
        size = self.packed_bytes(matrix.outputs, matrix.inputs, matrix.quantization)
        check_tensor("the packed matrix", matrix.data, (size,), torch.uint8)
        form = FORMS[matrix.quantization] if matrix.layout == plain else SPREAD_INT8
        return Matrix(matrix.data.data_ptr(), matrix.outputs, matrix.inputs, form)

    def measure_peak(self) -> float:
        """Return the int8 operations a second that all threads reach from registers right now.

        Takes some tens of milliseconds. A multiplication and an addition are two operations.
        """
        start = time.perf_counter()
        operations: int = self._library.vl_peak_int8(_PROBE_ROUNDS)
        return operations / (time.perf_counter() - start)

    def measure_streaming(self, memory: Tensor) -> float:
        """Return the bytes a second that all threads reach merely reading `memory` (uint8)."""
        check_tensor("memory", memory, (memory.numel(),), torch.uint8)
        start = time.perf_counter()
        self._library.vl_stream_bytes(memory.data_ptr(), memory.numel())
        return memory.numel() / (time.perf_counter() - start)

    def exp(self, x: Tensor) -> Tensor:
        """Return the exponential of float32 numbers as all kernels compute it."""
        check_tensor("x", x, tuple(x.shape))
        result = torch.empty_like(x)
        self._library.vl_exp(x.data_ptr(), result.data_ptr(), x.numel())
        return result

    def _allocate(self, size: int) -> Tensor:
        memory = torch.empty(size, dtype=torch.uint8)
        self._library.vl_advise_huge_pages(memory.data_ptr(), size)
        return memory
