"""Decoder and vision layers in the plainest torch, over dense weights.

Also random weights and steps for them. Letters as in inference.engine.kernels.base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from inference.config import Quantization
from inference.engine.kernels.base import (
    PAGE_TOKENS,
    Kernels,
    PackedMatrix,
    TextLayer,
    TextStep,
    VisionLayer,
)
from inference.engine.kernels.cache_rows import narrow, widen
from inference.engine.shape import TextShape, VisionShape

TEXT = TextShape(
    layers=3,
    hidden=64,
    heads=4,
    kv_heads=2,
    head_dim=32,
    intermediate=96,
    vocabulary=100,
    rms_eps=1e-6,
    rope_theta=10_000.0,
    mrope_section=(6, 5, 5),
    is_tied=True,
    max_positions=4096,
)
VISION = VisionShape(
    depth=3,
    hidden=160,
    heads=5,
    intermediate=224,
    patch_px=16,
    merge=2,
    temporal_patch=2,
    channels=3,
    positions=16,
    deepstack=(1,),
    out_hidden=64,
)


@dataclass(frozen=True, slots=True)
class Span:
    """`rows` rows of a sequence behind `before` tokens that the cache holds already."""

    before: int
    rows: int


def random(*size: int, seed: int, scale: float = 1.0) -> Tensor:
    """Return normal random numbers."""
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed)) * scale


def dense(kernels: Kernels, matrix: PackedMatrix) -> Tensor:
    """Return a packed matrix (N, K) as numbers."""
    return kernels.unpack_rows(matrix, torch.arange(matrix.outputs))


def make_text_layers(
    kernels: Kernels, quantization: Quantization, shape: TextShape = TEXT
) -> list[TextLayer]:
    """Return random decoder layers."""
    width, hidden, inner = shape.head_dim, shape.hidden, shape.intermediate
    mixed = shape.heads * width

    def matrix(outputs: int, inputs: int, seed: int) -> PackedMatrix:
        return kernels.pack(random(outputs, inputs, seed=seed, scale=inputs**-0.5), quantization)

    return [
        TextLayer(
            input_norm=1 + random(hidden, seed=seed, scale=0.1),
            qkv=matrix(mixed + 2 * shape.kv_heads * width, hidden, seed + 1),
            q_norm=1 + random(width, seed=seed + 2, scale=0.1),
            k_norm=1 + random(width, seed=seed + 3, scale=0.1),
            o=matrix(hidden, mixed, seed + 4),
            post_norm=1 + random(hidden, seed=seed + 5, scale=0.1),
            gate_up=matrix(2 * inner, hidden, seed + 6),
            down=matrix(hidden, inner, seed + 7),
        )
        for seed in range(0, 10 * shape.layers, 10)
    ]


def make_vision_layers(
    kernels: Kernels, quantization: Quantization, shape: VisionShape = VISION
) -> list[VisionLayer]:
    """Return random layers of a tower."""
    hidden, inner = shape.hidden, shape.intermediate

    def matrix(outputs: int, inputs: int, seed: int) -> PackedMatrix:
        return kernels.pack(random(outputs, inputs, seed=seed, scale=inputs**-0.5), quantization)

    return [
        VisionLayer(
            norm1_weight=1 + random(hidden, seed=seed, scale=0.1),
            norm1_bias=random(hidden, seed=seed + 1, scale=0.1),
            qkv=matrix(3 * hidden, hidden, seed + 2),
            qkv_bias=random(3 * hidden, seed=seed + 3, scale=0.1),
            proj=matrix(hidden, hidden, seed + 4),
            proj_bias=random(hidden, seed=seed + 5, scale=0.1),
            norm2_weight=1 + random(hidden, seed=seed + 6, scale=0.1),
            norm2_bias=random(hidden, seed=seed + 7, scale=0.1),
            fc1=matrix(inner, hidden, seed + 8),
            fc1_bias=random(inner, seed=seed + 9, scale=0.1),
            fc2=matrix(hidden, inner, seed + 10),
            fc2_bias=random(hidden, seed=seed + 11, scale=0.1),
        )
        for seed in range(0, 20 * shape.depth, 20)
    ]


def make_step(
    spans: Sequence[Span], dtype: torch.dtype = torch.float32, shape: TextShape = TEXT
) -> TextStep:
    """Return a step over scattered pages.

    The cache holds random keys and values of the tokens before, NaN everywhere else.
    """
    counts = [-(-(span.before + span.rows) // PAGE_TOKENS) for span in spans]
    order = torch.randperm(sum(counts), generator=torch.Generator().manual_seed(1))
    tables = torch.full((len(spans), max(counts)), -1, dtype=torch.int32)
    for i, pages in enumerate(torch.split(order, counts)):
        tables[i, : len(pages)] = pages
    rows = sum(span.rows for span in spans)
    size = (shape.layers, sum(counts), 2, shape.kv_heads, PAGE_TOKENS, shape.head_dim)
    cache = torch.full(size, torch.nan)
    for i, span in enumerate(spans):
        for token in range(span.before):
            page = int(tables[i, token // PAGE_TOKENS])
            cells = cache[:, page, :, :, token % PAGE_TOKENS]
            cells.copy_(random(*cells.shape, seed=1000 * i + token))
    angles = random(rows, shape.head_dim // 2, seed=2, scale=3).repeat(1, 2)
    starts = torch.tensor([0, *(span.rows for span in spans)]).cumsum(0)
    return TextStep(
        hidden=random(rows, shape.hidden, seed=3),
        cos=angles.cos(),
        sin=angles.sin(),
        row_starts=starts.int(),
        first_index=torch.tensor([span.before for span in spans], dtype=torch.int32),
        page_tables=tables,
        cache=narrow(cache, dtype),
    )


def copy_step(step: TextStep) -> TextStep:
    """Return the step with its own rows and cache."""
    return replace(step, hidden=step.hidden.clone(), cache=step.cache.clone())


def run_text(
    kernels: Kernels, layers: Sequence[TextLayer], step: TextStep, shape: TextShape = TEXT
) -> TextStep:
    """Run all decoder layers over a copy of `step` and return the copy."""
    copy = copy_step(step)
    for index, layer in enumerate(layers):
        normed = functional.rms_norm(copy.hidden, (shape.hidden,), layer.input_norm, shape.rms_eps)
        copy.hidden += (
            _attend(kernels, layer, index, copy, normed, shape) @ dense(kernels, layer.o).T
        )
        normed = functional.rms_norm(copy.hidden, (shape.hidden,), layer.post_norm, shape.rms_eps)
        gate, up = (normed @ dense(kernels, layer.gate_up).T).chunk(2, dim=1)
        copy.hidden += (functional.silu(gate) * up) @ dense(kernels, layer.down).T
        if copy.deep is not None and copy.deep_rows is not None and index < len(copy.deep):
            copy.hidden[copy.deep_rows.long()] += copy.deep[index]
    return copy


def cached(step: TextStep, shape: TextShape = TEXT) -> Tensor:
    """Return the cache (L, G, 2, C, S, D) as numbers, NaN where nobody wrote."""
    return widen(step.cache, shape.head_dim)


def _attend(
    kernels: Kernels,
    layer: TextLayer,
    index: int,
    step: TextStep,
    normed: Tensor,
    shape: TextShape,
) -> Tensor:
    width, per_head = shape.head_dim, shape.heads // shape.kv_heads
    split = (normed @ dense(kernels, layer.qkv).T).view(len(normed), -1, width)
    parts = [shape.heads, shape.kv_heads, shape.kv_heads]
    queries, keys, values = torch.split(split, parts, dim=1)
    queries = functional.rms_norm(queries, (width,), layer.q_norm, shape.rms_eps)
    keys = functional.rms_norm(keys, (width,), layer.k_norm, shape.rms_eps)
    queries, keys = turn(queries, step.cos, step.sin), turn(keys, step.cos, step.sin)
    out = torch.empty_like(queries)
    for sequence, (start, end) in enumerate(pairwise(step.row_starts.tolist())):
        before = int(step.first_index[sequence])
        for row in range(start, end):
            cell = _cell(step, index, sequence, before + row - start)
            cell[0], cell[1] = (narrow(part[row], cell.dtype) for part in (keys, values))
        count = before + end - start
        cells = [_cell(step, index, sequence, token) for token in range(count)]
        # (tokens, 2, C, D) -> keys and values (A, tokens, D)
        seen = widen(torch.stack(cells), width).repeat_interleave(per_head, dim=2)
        all_keys, all_values = seen.permute(1, 2, 0, 3)
        scores = queries[start:end].transpose(0, 1) @ all_keys.mT / width**0.5
        hidden = torch.ones(end - start, count, dtype=torch.bool).triu(before + 1)
        weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
        out[start:end] = (weights @ all_values).transpose(0, 1)
    return out.flatten(1)


def _cell(step: TextStep, layer: int, sequence: int, token: int) -> Tensor:
    page = int(step.page_tables[sequence, token // PAGE_TOKENS])
    return step.cache[layer, page, :, :, token % PAGE_TOKENS]


def run_vision(
    kernels: Kernels,
    layers: Sequence[VisionLayer],
    hidden: Tensor,
    angles: Tensor,
    *,
    bounds: Tensor,
    shape: VisionShape = VISION,
) -> Tensor:
    """Return `hidden` (P, H) behind all layers; `angles` (P, D)."""
    hidden = hidden.clone()
    for layer in layers:
        normed = functional.layer_norm(
            hidden, (shape.hidden,), layer.norm1_weight, layer.norm1_bias, 1e-6
        )
        projected = normed @ dense(kernels, layer.qkv).T + layer.qkv_bias
        split = projected.view(len(hidden), 3, shape.heads, -1)
        queries, keys, values = split.unbind(1)
        queries, keys = (turn(x, angles.cos(), angles.sin()) for x in (queries, keys))
        out = torch.empty_like(queries)
        for start, end in pairwise(bounds.tolist()):
            q, k, v = (x[start:end].transpose(0, 1) for x in (queries, keys, values))
            weights = (q @ k.mT / shape.head_dim**0.5).softmax(-1)
            out[start:end] = (weights @ v).transpose(0, 1)
        hidden += out.flatten(1) @ dense(kernels, layer.proj).T + layer.proj_bias
        normed = functional.layer_norm(
            hidden, (shape.hidden,), layer.norm2_weight, layer.norm2_bias, 1e-6
        )
        inner = normed @ dense(kernels, layer.fc1).T + layer.fc1_bias
        inner = functional.gelu(inner, approximate="tanh")
        hidden += inner @ dense(kernels, layer.fc2).T + layer.fc2_bias
    return hidden


def turn(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary angles (M, D) to heads (M, heads, D): first half with second half."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cos[:, None] + torch.cat((-second, first), -1) * sin[:, None]


def error(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference relative to the root mean square of what is expected."""
    return float((found - expected).abs().max() / expected.square().mean().sqrt())


def mean_error(found: Tensor, expected: Tensor) -> float:
    """Return the root mean square of the differences relative to that of what is expected."""
    return float((found - expected).norm() / expected.norm())
