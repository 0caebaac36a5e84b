"""Checks of tensors whose addresses go to C, where nothing is checked any more."""

from __future__ import annotations

import torch
from torch import Tensor


def check_tensor(
    name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> None:
    """Check that a tensor has this shape and type, is contiguous and on the CPU.

    Raises:
        ValueError: names the tensor, what was expected and what was got.
    """
    if tensor.shape == shape and tensor.dtype is dtype and _is_plain(tensor):
        return
    layout = "" if _is_plain(tensor) else f", not contiguous, or on {tensor.device}"
    raise ValueError(
        f"expected {name} to be {shape} {dtype}, contiguous, on the CPU; "
        f"got {tuple(tensor.shape)} {tensor.dtype}{layout}"
    )


def check_layers(first: int, last: int, count: int) -> None:
    """Check a range of layers.

    Raises:
        ValueError: the range is not within 0 to `count`.
    """
    if not 0 <= first <= last <= count:
        raise ValueError(f"expected layers within 0 to {count}, got {first} to {last}")


def check_starts(name: str, starts: Tensor, rows: int) -> list[int]:
    """Return (B + 1,) int32 ascending borders of `rows` rows as numbers.

    Raises:
        ValueError: they do not begin with 0, end with `rows` and ascend.
    """
    check_tensor(name, starts, (starts.numel(),), torch.int32)
    borders: list[int] = starts.tolist()
    if not borders or borders[0] != 0 or borders[-1] != rows or borders != sorted(borders):
        raise ValueError(f"expected {name} from 0 to {rows}, ascending, got {borders}")
    return borders


def _is_plain(tensor: Tensor) -> bool:
    return tensor.is_contiguous() and tensor.device.type == "cpu"
