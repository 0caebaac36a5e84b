"""Decoder layers and vision layers in plain torch, over a product that is given.

The readable reference of the native layers. Attention of a text layer gathers a sequence's pages
into one run, once a layer: right for a reference, and the price of having no kernels.
Letters: M rows, T tokens of one sequence so far, P patches, H hidden width, A query heads,
C key-value heads, D head width, S tokens a page, W width of a row of the cache.
Source: Qwen3VLTextDecoderLayer and Qwen3VLVisionBlock, transformers 5.24.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from inference.engine.kernels.base import (
    PAGE_TOKENS,
    Activation,
    PackedMatrix,
    TextLayer,
    TextStep,
    VisionLayer,
)
from inference.engine.kernels.cache_rows import narrow, widen
from inference.engine.kernels.tensor_checks import check_layers, check_starts, check_tensor
from inference.engine.shape import TextShape, VisionShape

VISION_EPS: Final = 1e-6


class Linear(Protocol):
    """A product with a packed matrix, as `Kernels.linear`."""

    def __call__(
        self,
        x: Tensor,
        matrix: PackedMatrix,
        bias: Tensor | None = None,
        activation: Activation = Activation.NONE,
    ) -> Tensor:
        """Return activation(x @ matrix.T + bias)."""


class PortableTextLayers:
    """All decoder layers of a model; satisfies `TextLayers`."""

    def __init__(self, shape: TextShape, layers: Sequence[TextLayer], linear: Linear) -> None:
        """Keep the weights of `layers`, which `linear` can read."""
        self._shape = shape
        self._layers = tuple(layers)
        self._linear = linear

    def run(self, step: TextStep, first: int, last: int) -> None:
        """Run the layers `first` up to but not including `last`, changing `hidden` and `cache`.

        Raises:
            ValueError: layers that do not exist, rows that do not fit together, or pages that do
                not cover them.
        """
        check_layers(first, last, len(self._layers))
        rows, width = len(step.hidden), self._shape.head_dim
        check_tensor("hidden", step.hidden, (rows, self._shape.hidden))
        check_tensor("cos", step.cos, (rows, width))
        check_tensor("sin", step.sin, (rows, width))
        spans = _read_spans(step)
        for index in range(first, last):
            self._run_layer(step, spans, index)

    def _run_layer(self, step: TextStep, spans: Sequence[_Span], index: int) -> None:
        layer, eps, hidden = self._layers[index], self._shape.rms_eps, step.hidden
        normed = functional.rms_norm(hidden, layer.input_norm.shape, layer.input_norm, eps)
        attended = self._attend(step, spans, index, self._linear(normed, layer.qkv))
        hidden += self._linear(attended, layer.o)
        normed = functional.rms_norm(hidden, layer.post_norm.shape, layer.post_norm, eps)
        gate, up = self._linear(normed, layer.gate_up).chunk(2, dim=1)
        hidden += self._linear(functional.silu(gate) * up, layer.down)
        if step.deep is not None and step.deep_rows is not None and index < len(step.deep):
            hidden[step.deep_rows.long()] += step.deep[index]

    def _attend(
        self, step: TextStep, spans: Sequence[_Span], index: int, projected: Tensor
    ) -> Tensor:
        """Return (M, A * D) from the projected (M, (A + 2C) * D); writes the rows' keys, values."""
        shape, layer, cache = self._shape, self._layers[index], step.cache[index]
        heads, kv_heads = shape.heads, shape.kv_heads
        # (M, A + 2C, D) -> (M, A, D), (M, C, D), (M, C, D)
        parts = projected.view(len(projected), -1, shape.head_dim)
        queries, keys, values = torch.split(parts, [heads, kv_heads, kv_heads], dim=1)
        width = layer.q_norm.shape
        queries = functional.rms_norm(queries, width, layer.q_norm, shape.rms_eps)
        keys = functional.rms_norm(keys, width, layer.k_norm, shape.rms_eps)
        queries = rotate(queries, step.cos, step.sin)
        keys = rotate(keys, step.cos, step.sin)
        attended = torch.empty_like(queries)
        for span in spans:
            rows = slice(span.first_row, span.last_row)
            span.write(cache, keys[rows], values[rows])
            attended[rows] = span.attend(cache, queries[rows])
        return attended.flatten(1)


class PortableVisionLayers:
    """All layers of a vision tower; satisfies `VisionLayers`."""

    def __init__(self, shape: VisionShape, layers: Sequence[VisionLayer], linear: Linear) -> None:
        """Keep the weights of `layers`, which `linear` can read."""
        self._shape = shape
        self._layers = tuple(layers)
        self._linear = linear

    def run(
        self, hidden: Tensor, cos: Tensor, sin: Tensor, bounds: Tensor, first: int, last: int
    ) -> None:
        """Run the layers `first` up to but not including `last`, changing `hidden` (P, H).

        Raises:
            ValueError: layers that do not exist, patches that do not fit together, or bounds that
                are not those of all patches.
        """
        check_layers(first, last, len(self._layers))
        rows, width = len(hidden), self._shape.head_dim
        check_tensor("hidden", hidden, (rows, self._shape.hidden))
        check_tensor("cos", cos, (rows, width))
        check_tensor("sin", sin, (rows, width))
        edges = check_starts("bounds", bounds, rows)
        for layer in self._layers[first:last]:
            normed = _norm(hidden, layer.norm1_weight, layer.norm1_bias)
            projected = self._linear(normed, layer.qkv, layer.qkv_bias)
            attended = self._attend(projected, cos, sin, edges)
            hidden += self._linear(attended, layer.proj, layer.proj_bias)
            normed = _norm(hidden, layer.norm2_weight, layer.norm2_bias)
            inner = self._linear(normed, layer.fc1, layer.fc1_bias, Activation.GELU_TANH)
            hidden += self._linear(inner, layer.fc2, layer.fc2_bias)

    def parts(self, bounds: Tensor) -> int:
        """Return 1: nobody who runs these waits for a quarter of a second."""
        del bounds
        return 1

    def run_part(
        self, hidden: Tensor, cos: Tensor, sin: Tensor, bounds: Tensor, layer: int, part: int
    ) -> None:
        """Run a layer, whose only part is 0.

        Raises:
            ValueError: as `run`, or another part.
        """
        if part != 0:
            raise ValueError(f"expected the next part of the layer, 0, got {part}")
        self.run(hidden, cos, sin, bounds, layer, layer + 1)

    def _attend(self, projected: Tensor, cos: Tensor, sin: Tensor, edges: list[int]) -> Tensor:
        """Return (P, H) from the projected (P, 3H); pictures do not see each other."""
        # (P, 3, A, D) -> three of (P, A, D)
        parts = projected.view(len(projected), 3, self._shape.heads, -1)
        queries, keys, values = parts.unbind(1)
        queries, keys = rotate(queries, cos, sin), rotate(keys, cos, sin)
        attended = torch.empty_like(queries)
        for start, end in pairwise(edges):
            # Each (A, p, D), p the patches of this picture.
            q, k, v = (x[start:end].transpose(0, 1) for x in (queries, keys, values))
            picture = functional.scaled_dot_product_attention(q[None], k[None], v[None])
            attended[start:end] = picture[0].transpose(0, 1)
        return attended.flatten(1)


class _Span:
    """The rows of one sequence in a step, and where their keys and values lie in the cache."""

    def __init__(self, *, first_row: int, last_row: int, first_index: int, pages: Tensor) -> None:
        self.first_row = first_row
        self.last_row = last_row
        self._first_index = first_index
        self._length = first_index + last_row - first_row
        self._pages = pages

    def write(self, cache: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put the rows' keys and values (m, C, D) into a layer's cache (G, 2, C, S, W)."""
        index = torch.arange(self._first_index, self._length)
        pages, slots = self._pages[index // PAGE_TOKENS], index % PAGE_TOKENS
        cache[pages, 0, :, slots] = narrow(keys, cache.dtype)
        cache[pages, 1, :, slots] = narrow(values, cache.dtype)

    def attend(self, cache: Tensor, queries: Tensor) -> Tensor:
        """Return (m, A, D): each of the rows (m, A, D) over all indices up to its own."""
        # (pages, 2, C, S, W) -> (2, C, pages * S, W) -> keys and values (C, T, D)
        run = cache[self._pages].permute(1, 2, 0, 3, 4).flatten(2, 3)
        keys, values = widen(run[:, :, : self._length], queries.shape[-1]).unbind(0)
        index = torch.arange(self._length)
        mask = index <= index[self._first_index :, None]
        attended = functional.scaled_dot_product_attention(
            queries.transpose(0, 1)[None], keys[None], values[None], mask, enable_gqa=True
        )
        return attended[0].transpose(0, 1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the heads of (rows, heads, D) by the rows' angles (rows, D): halves are the pairs."""
    first, second = x.chunk(2, dim=-1)
    return x * cos[:, None] + torch.cat([-second, first], dim=-1) * sin[:, None]


def _read_spans(step: TextStep) -> list[_Span]:
    starts = check_starts("row_starts", step.row_starts, len(step.hidden))
    firsts: list[int] = step.first_index.tolist()
    if not len(starts) - 1 == len(firsts) == len(step.page_tables):
        counts = f"{len(firsts)} first indices and {len(step.page_tables)} page tables"
        raise ValueError(f"expected {len(starts) - 1} sequences, got {counts}")
    spans = []
    for sequence, (start, end) in enumerate(pairwise(starts)):
        if start == end:
            continue
        count = -(-(firsts[sequence] + end - start) // PAGE_TOKENS)
        pages = step.page_tables[sequence, :count].long()
        are_pages = bool(((pages >= 0) & (pages < step.cache.shape[1])).all())
        if firsts[sequence] < 0 or len(pages) < count or not are_pages:
            raise ValueError(f"the pages of sequence {sequence} do not cover its rows")
        spans.append(
            _Span(first_row=start, last_row=end, first_index=firsts[sequence], pages=pages)
        )
    return spans


def _norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.layer_norm(x, weight.shape, weight, bias, VISION_EPS)
