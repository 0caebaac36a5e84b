"""Keys and values as they lie in the cache: a row is those of one token and key-value head.

Beside float weights a row is D numbers, bfloat16 or float32. Beside quantised ones it is D int8
and, behind them, two bfloat16 for each group of 32, as bytes: its scale, and its outlier or 0. A
number that outweighs the other 31 of its group would leave them no steps, so it stands apart, and
-128 in its place. A row depends on its own token only, so it is the same however a prompt was
divided. The compiled kernels do the same (src/cache_rows.h).
Letters: D head width, W width of a row in cells of its format.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from inference.config import Quantization
from inference.engine.kernels.base import GROUP
from inference.engine.kernels.group_scales import (
    Narrow,
    count_groups,
    narrow_groups,
    split,
    widen_groups,
)

_DTYPES: Final = {Quantization.FP32: torch.float32, Quantization.BF16: torch.bfloat16}


def cache_dtype(quantization: Quantization) -> torch.dtype:
    """Return the number format of the cache: int8 beside quantised weights, else the weights'."""
    return _DTYPES.get(quantization, torch.int8)


def row_width(head_dim: int, dtype: torch.dtype) -> int:
    """Return W: how many cells of the cache's format a row takes."""
    if dtype is not torch.int8:
        return head_dim
    return head_dim + 2 * torch.bfloat16.itemsize * count_groups(head_dim, GROUP)


def narrow(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the rows (…, W) of a cache's format for keys or values (…, D) float32."""
    if dtype is not torch.int8:
        return numbers.to(dtype)
    parts = narrow_groups(split(numbers, GROUP))
    cells = parts.cells.flatten(-2)[..., : numbers.shape[-1]]
    behind = torch.stack([parts.scales, parts.outliers], dim=-1).flatten(-2)
    return torch.cat([cells, behind.view(torch.int8)], dim=-1)


def widen(rows: Tensor, head_dim: int) -> Tensor:
    """Return the keys or values (…, D) float32 of rows (…, W)."""
    if rows.dtype is not torch.int8:
        return rows.float()
    cells = split(rows[..., :head_dim], GROUP)
    behind = rows[..., head_dim:].contiguous().view(torch.bfloat16)
    scales, outliers = behind.reshape(*cells.shape[:-1], 2).unbind(-1)
    numbers = widen_groups(Narrow(cells, scales, outliers))
    return numbers.flatten(-2)[..., :head_dim]
