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
from torch.nn import functional

from inference.config import Quantization
from inference.engine.kernels.base import GROUP
from inference.engine.kernels.group_scales import divide, round_away

_MARK: Final = -128  # in place of an outlier
_DTYPES: Final = {Quantization.FP32: torch.float32, Quantization.BF16: torch.bfloat16}


def cache_dtype(quantization: Quantization) -> torch.dtype:
    """Return the number format of the cache: int8 beside quantised weights, else the weights'."""
    return _DTYPES.get(quantization, torch.int8)


def row_width(head_dim: int, dtype: torch.dtype) -> int:
    """Return W: how many cells of the cache's format a row takes."""
    if dtype is not torch.int8:
        return head_dim
    return head_dim + 2 * torch.bfloat16.itemsize * _count_groups(head_dim)


def narrow(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the rows (…, W) of a cache's format for keys or values (…, D) float32."""
    if dtype is not torch.int8:
        return numbers.to(dtype)
    width = numbers.shape[-1]
    groups = _split(numbers)
    is_outlier = _find_outliers(groups)
    others = groups.masked_fill(is_outlier, 0)
    scales = round_away(others.abs().amax(-1) / 127)
    cells = divide(others, scales, -127, 127).to(torch.int8).masked_fill(is_outlier, _MARK)
    outliers = torch.where(is_outlier, groups, 0).sum(-1).bfloat16()
    behind = torch.stack([scales, outliers], dim=-1).flatten(-2)
    return torch.cat([cells.flatten(-2)[..., :width], behind.view(torch.int8)], dim=-1)


def widen(rows: Tensor, head_dim: int) -> Tensor:
    """Return the keys or values (…, D) float32 of rows (…, W)."""
    if rows.dtype is not torch.int8:
        return rows.float()
    groups = _split(rows[..., :head_dim])
    behind = rows[..., head_dim:].contiguous().view(torch.bfloat16).float()
    scales, outliers = behind.reshape(*groups.shape[:-1], 1, 2).unbind(-1)  # (…, groups, 1)
    is_outlier = (groups == _MARK) & (outliers != 0)
    numbers = torch.where(is_outlier, outliers, groups * scales)
    return numbers.flatten(-2)[..., :head_dim]


def _find_outliers(groups: Tensor) -> Tensor:
    """Mark the numbers of groups (…, 32) whose square is above those of the others together."""
    squares = groups.square()
    return 2 * squares > squares.sum(-1, keepdim=True)


def _count_groups(head_dim: int) -> int:
    return -(-head_dim // GROUP)


def _split(numbers: Tensor) -> Tensor:
    """Return (…, D) as (…, groups, 32), zeros behind the end."""
    missing = _count_groups(numbers.shape[-1]) * GROUP - numbers.shape[-1]
    padded = functional.pad(numbers, (0, missing))
    return padded.reshape(*numbers.shape[:-1], -1, GROUP)
