"""Whole numbers with a bfloat16 scale for each group of them: how torch makes them.

A scale is rounded away from zero before the numbers are divided by it, so that none leaves the
range. The compiled kernels do the same (src/pack.cpp, src/cache_rows.h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_MARK: Final = -128


def count_groups(width: int, size: int) -> int:
    """Return how many groups of `size` numbers hold `width` of them."""
    return -(-width // size)


def split(numbers: Tensor, size: int) -> Tensor:
    """Return numbers (…, D) as groups (…, groups, size), zeros behind the end."""
    width = numbers.shape[-1]
    padded = functional.pad(numbers, (0, count_groups(width, size) * size - width))
    return padded.reshape(*numbers.shape[:-1], -1, size)


def round_away(scales: Tensor) -> Tensor:
    """Round float32 to bfloat16 away from zero; a smaller scale would cut the largest number."""
    bits = scales.contiguous().view(torch.int32)
    return ((bits + 0xFFFF) & ~0xFFFF).view(torch.float32).bfloat16()


def divide(groups: Tensor, scales: Tensor, lowest: int, highest: int) -> Tensor:
    """Return the whole numbers (…, S) of groups (…, S) with scales (…), as floats."""
    # A group of zeros has the scale zero, and the numbers zero.
    inverse = torch.where(scales == 0, 0.0, 1 / scales.float())
    return (groups * inverse.unsqueeze(-1)).round().clamp(lowest, highest)


@dataclass(frozen=True, slots=True)
class Narrow:
    """Groups (…, S) as whole numbers with a scale (…); what outweighs the others stands apart.

    `cells` are int8, -128 in the place of what stands apart; `outliers` is 0 where there is none.
    Scales and outliers are bfloat16.
    """

    cells: Tensor
    scales: Tensor
    outliers: Tensor


def narrow_groups(groups: Tensor) -> Narrow:
    """Narrow groups (…, S) float32.

    A number whose square is above those of all others stands apart: in the scale it would leave
    them no steps.
    """
    squares = groups.square()
    is_outlier = 2 * squares > squares.sum(-1, keepdim=True)
    others = groups.masked_fill(is_outlier, 0)
    scales = round_away(others.abs().amax(-1) / 127)
    cells = divide(others, scales, -127, 127).to(torch.int8).masked_fill(is_outlier, _MARK)
    return Narrow(cells, scales, torch.where(is_outlier, groups, 0).sum(-1).bfloat16())


def widen_groups(numbers: Narrow) -> Tensor:
    """Return groups (…, S) float32."""
    scales, outliers = numbers.scales.float()[..., None], numbers.outliers.float()[..., None]
    is_outlier = (numbers.cells == _MARK) & (outliers != 0)
    return torch.where(is_outlier, outliers, numbers.cells * scales)
