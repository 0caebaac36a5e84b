"""Decoder layers and vision layers in C++: checks what comes in, then makes one call.

Letters: M rows, B sequences, P patches, H hidden width, A query heads, C key-value heads, D head
width, I inner width of the MLP, L layers, G pages, S tokens a page, R rows with picture features.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

from inference.engine.kernels.base import (
    PAGE_TOKENS,
    PackedMatrix,
    TextLayer,
    TextStep,
    VisionLayer,
)
from inference.engine.kernels.cache_rows import row_width
from inference.engine.kernels.native_library import (
    Matrix,
    TextLayerStruct,
    TextShapeStruct,
    TextStepStruct,
    VisionLayerStruct,
    VisionShapeStruct,
    VisionStepStruct,
    check_status,
)
from inference.engine.kernels.tensor_checks import check_layers, check_starts, check_tensor
from inference.engine.shape import TextShape, VisionShape

HEAD_MULTIPLE: Final = 32
CACHE_FORMS: Final = {torch.int8: 0, torch.bfloat16: 1, torch.float32: 2}

Describe = Callable[[PackedMatrix], Matrix]


class NativeTextLayers:
    """All decoder layers of a model; satisfies `TextLayers`. Keeps scratch memory between runs."""

    def __init__(
        self,
        library: ctypes.CDLL,
        describe: Describe,
        shape: TextShape,
        layers: Sequence[TextLayer],
    ) -> None:
        """Check the weights against `shape` and hand them to `library`.

        Raises:
            ValueError: a weight of another shape, or packed by other kernels.
            MemoryError: there is no memory.
        """
        _check_heads(shape.head_dim)
        if shape.heads % shape.kv_heads:
            raise ValueError(f"expected whole groups of heads, got {shape.heads}/{shape.kv_heads}")
        self._library, self._shape = library, shape
        self._layers = tuple(layers)  # C keeps only addresses
        structs = [_text_layer(describe, shape, layer) for layer in layers]
        array = (TextLayerStruct * len(structs))(*structs)
        widths = (shape.hidden, shape.heads, shape.kv_heads, shape.head_dim, shape.intermediate)
        self._network = library.vl_text_create(
            ctypes.byref(TextShapeStruct(*widths, shape.rms_eps)), array, len(structs)
        )
        _keep(self, self._network, library.vl_text_destroy)

    def run(self, step: TextStep, first: int, last: int) -> None:
        """Run the layers `first` up to but not including `last`, changing `hidden` and `cache`.

        Raises:
            ValueError: layers that do not exist, tensors of another shape, pages that do not cover
                the rows or do not exist.
            MemoryError: there is no scratch memory.
        """
        check_layers(first, last, len(self._layers))
        self._check_rows(step)
        self._check_pages(step)
        self._check_deep(step)
        _check_scored(step)
        described = ctypes.byref(_text_step(step))
        check_status(self._library.vl_text_run(self._network, described, first, last))

    def _check_rows(self, step: TextStep) -> None:
        rows, width = len(step.hidden), self._shape.head_dim
        check_tensor("hidden", step.hidden, (rows, self._shape.hidden))
        check_tensor("cos", step.cos, (rows, width))
        check_tensor("sin", step.sin, (rows, width))
        dtype = step.cache.dtype if step.cache.dtype in CACHE_FORMS else torch.int8
        pages = step.cache.shape[1] if step.cache.dim() > 1 else 0
        cells = row_width(width, dtype)
        expected = (len(self._layers), pages, 2, self._shape.kv_heads, PAGE_TOKENS, cells)
        check_tensor("cache", step.cache, expected, dtype)

    def _check_pages(self, step: TextStep) -> None:
        starts = check_starts("row_starts", step.row_starts, len(step.hidden))
        sequences = len(starts) - 1
        check_tensor("first_index", step.first_index, (sequences,), torch.int32)
        tables, pages = step.page_tables, step.cache.shape[1]
        most = tables.shape[1] if tables.dim() > 1 else 0
        check_tensor("page_tables", tables, (sequences, most), torch.int32)
        first_index: list[int] = step.first_index.tolist()
        all_tables: list[list[int]] = tables.tolist()
        for i, (start, end) in enumerate(pairwise(starts)):
            keys = first_index[i] + end - start
            needed = -(-keys // PAGE_TOKENS) if end > start else 0
            table = all_tables[i][:needed]
            if first_index[i] < 0 or len(table) < needed or not _are_within(table, pages):
                raise ValueError(
                    f"expected {needed} pages below {pages} for {keys} tokens of sequence {i}, "
                    f"got {table} and first index {first_index[i]}"
                )

    def _check_deep(self, step: TextStep) -> None:
        if step.deep is None or step.deep_rows is None:
            return
        rows: list[int] = step.deep_rows.tolist()
        check_tensor("deep_rows", step.deep_rows, (len(rows),), torch.int32)
        check_tensor("deep", step.deep, (len(step.deep), len(rows), self._shape.hidden))
        if not _are_within(rows, len(step.hidden)):
            raise ValueError(f"expected deep_rows below {len(step.hidden)}, got {rows}")


class NativeVisionLayers:
    """All layers of a tower; satisfies `VisionLayers`. Keeps scratch memory between runs."""

    def __init__(
        self,
        library: ctypes.CDLL,
        describe: Describe,
        shape: VisionShape,
        layers: Sequence[VisionLayer],
    ) -> None:
        """Check the weights against `shape` and hand them to `library`.

        Raises:
            ValueError: a weight of another shape, or packed by other kernels.
            MemoryError: there is no memory.
        """
        _check_heads(shape.head_dim)
        self._library, self._shape = library, shape
        self._layers = tuple(layers)  # C keeps only addresses
        structs = [_vision_layer(describe, shape, layer) for layer in layers]
        array = (VisionLayerStruct * len(structs))(*structs)
        widths = VisionShapeStruct(shape.hidden, shape.heads, shape.intermediate)
        self._network = library.vl_vision_create(ctypes.byref(widths), array, len(structs))
        _keep(self, self._network, library.vl_vision_destroy)

    def run(
        self, hidden: Tensor, cos: Tensor, sin: Tensor, bounds: Tensor, first: int, last: int
    ) -> None:
        """Run the layers `first` up to but not including `last`, changing `hidden` (P, H).

        Raises:
            ValueError: layers that do not exist, tensors of another shape, or bounds that are not
                those of all patches.
            MemoryError: there is no scratch memory.
        """
        check_layers(first, last, len(self._layers))
        step = self._step(hidden, cos, sin, bounds)
        check_status(self._library.vl_vision_run(self._network, ctypes.byref(step), first, last))

    def parts(self, bounds: Tensor) -> int:
        """Return in how many parts a layer over these pictures can be run.

        Raises:
            ValueError: bounds that do not ascend from 0.
        """
        edges = check_starts("bounds", bounds, int(bounds[-1]))
        return int(self._library.vl_vision_parts(bounds.data_ptr(), len(edges) - 1))

    def run_part(
        self, hidden: Tensor, cos: Tensor, sin: Tensor, bounds: Tensor, layer: int, part: int
    ) -> None:
        """Run one part of a layer, changing `hidden` (P, H).

        Raises:
            ValueError: as `run`, or the part is not the next one of the layer that was begun last.
            MemoryError: there is no scratch memory.
        """
        check_layers(layer, layer + 1, len(self._layers))
        step = self._step(hidden, cos, sin, bounds)
        run_part = self._library.vl_vision_run_part
        check_status(run_part(self._network, ctypes.byref(step), layer, part))

    def _step(self, hidden: Tensor, cos: Tensor, sin: Tensor, bounds: Tensor) -> VisionStepStruct:
        rows = len(hidden)
        check_tensor("hidden", hidden, (rows, self._shape.hidden))
        check_tensor("cos", cos, (rows, self._shape.head_dim))
        check_tensor("sin", sin, (rows, self._shape.head_dim))
        pictures = len(check_starts("bounds", bounds, rows)) - 1
        addresses = (tensor.data_ptr() for tensor in (hidden, cos, sin, bounds))
        return VisionStepStruct(*addresses, pictures)


def _text_layer(describe: Describe, shape: TextShape, layer: TextLayer) -> TextLayerStruct:
    hidden, width, inner = shape.hidden, shape.head_dim, shape.intermediate
    mixed = shape.heads * width

    def matrix(name: str, outputs: int, inputs: int) -> Matrix:
        return _describe_checked(describe, name, getattr(layer, name), (outputs, inputs))

    return TextLayerStruct(
        input_norm=_vector("input_norm", layer.input_norm, hidden),
        qkv=matrix("qkv", mixed + 2 * shape.kv_heads * width, hidden),
        q_norm=_vector("q_norm", layer.q_norm, width),
        k_norm=_vector("k_norm", layer.k_norm, width),
        o=matrix("o", hidden, mixed),
        post_norm=_vector("post_norm", layer.post_norm, hidden),
        gate_up=matrix("gate_up", 2 * inner, hidden),
        down=matrix("down", hidden, inner),
    )


def _vision_layer(describe: Describe, shape: VisionShape, layer: VisionLayer) -> VisionLayerStruct:
    hidden, inner = shape.hidden, shape.intermediate

    def matrix(name: str, outputs: int, inputs: int) -> Matrix:
        return _describe_checked(describe, name, getattr(layer, name), (outputs, inputs))

    def vector(name: str, count: int) -> int:
        return _vector(name, getattr(layer, name), count)

    return VisionLayerStruct(
        norm1_weight=vector("norm1_weight", hidden),
        norm1_bias=vector("norm1_bias", hidden),
        qkv=matrix("qkv", 3 * hidden, hidden),
        qkv_bias=vector("qkv_bias", 3 * hidden),
        proj=matrix("proj", hidden, hidden),
        proj_bias=vector("proj_bias", hidden),
        norm2_weight=vector("norm2_weight", hidden),
        norm2_bias=vector("norm2_bias", hidden),
        fc1=matrix("fc1", inner, hidden),
        fc1_bias=vector("fc1_bias", inner),
        fc2=matrix("fc2", hidden, inner),
        fc2_bias=vector("fc2_bias", hidden),
    )


def _check_scored(step: TextStep) -> None:
    if step.scored is None:
        return
    rows: list[int] = step.scored.tolist()
    check_tensor("scored", step.scored, (len(rows),), torch.int32)
    if rows != sorted(set(rows)) or not _are_within(rows, len(step.hidden)):
        raise ValueError(
            f"expected scored rows below {len(step.hidden)}, each once, ascending, got {rows}"
        )


def _text_step(step: TextStep) -> TextStepStruct:
    has_deep = step.deep is not None and step.deep_rows is not None
    return TextStepStruct(
        hidden=step.hidden.data_ptr(),
        cos=step.cos.data_ptr(),
        sin=step.sin.data_ptr(),
        row_starts=step.row_starts.data_ptr(),
        first_index=step.first_index.data_ptr(),
        page_tables=step.page_tables.data_ptr(),
        cache=step.cache.data_ptr(),
        deep=step.deep.data_ptr() if has_deep and step.deep is not None else None,
        deep_rows=step.deep_rows.data_ptr() if has_deep and step.deep_rows is not None else None,
        scored=None if step.scored is None else step.scored.data_ptr(),
        sequences=len(step.row_starts) - 1,
        table_width=step.page_tables.shape[1],
        pages=step.cache.shape[1],
        levels=len(step.deep) if has_deep and step.deep is not None else 0,
        deep_count=len(step.deep_rows) if has_deep and step.deep_rows is not None else 0,
        scored_count=len(step.hidden if step.scored is None else step.scored),
        cache_form=CACHE_FORMS[step.cache.dtype],
    )


def _describe_checked(
    describe: Describe, name: str, matrix: PackedMatrix, expected: tuple[int, int]
) -> Matrix:
    if (matrix.outputs, matrix.inputs) != expected:
        got = (matrix.outputs, matrix.inputs)
        raise ValueError(f"expected {name} to have {expected} outputs and inputs, got {got}")
    return describe(matrix)


def _vector(name: str, tensor: Tensor, count: int) -> int:
    check_tensor(name, tensor, (count,))
    return tensor.data_ptr()


def _check_heads(width: int) -> None:
    if width % HEAD_MULTIPLE:
        raise ValueError(f"expected a head width that is a multiple of 32, got {width}")


def _are_within(numbers: list[int], limit: int) -> bool:
    return not numbers or (min(numbers) >= 0 and max(numbers) < limit)


def _keep(owner: object, network: int | None, destroy: Callable[[int], None]) -> None:
    """Free the network together with its owner."""
    if not network:
        raise MemoryError("not enough memory for the layers")
    weakref.finalize(owner, destroy, network)
