"""Whole numbers with a bfloat16 scale for each group of 32: how torch makes them.

A scale is rounded away from zero before the numbers are divided by it, so that none leaves the
range. The compiled kernels do the same (src/pack.cpp, src/cache_rows.h).
"""

from __future__ import annotations

import torch
from torch import Tensor


def round_away(scales: Tensor) -> Tensor:
    """Round float32 to bfloat16 away from zero; a smaller scale would cut the largest number."""
    bits = scales.contiguous().view(torch.int32)
    return ((bits + 0xFFFF) & ~0xFFFF).view(torch.float32).bfloat16()


def divide(groups: Tensor, scales: Tensor, lowest: int, highest: int) -> Tensor:
    """Return the whole numbers (…, 32) of groups (…, 32) with scales (…), as floats."""
    # A group of zeros has the scale zero, and the numbers zero.
    inverse = torch.where(scales == 0, 0.0, 1 / scales.float())
    return (groups * inverse.unsqueeze(-1)).round().clamp(lowest, highest)
