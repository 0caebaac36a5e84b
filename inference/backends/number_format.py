"""bf16 or fp32: which number format the weights are kept and multiplied in on this processor.

bf16 halves memory and the bytes of each decoded token, but processors without bf16 arithmetic
emulate it: measured on two AVX2 cores, a product over 300 rows takes six times as long as in fp32.
So without such arithmetic a small model is kept in fp32 where that is measured to be faster, and a
large one in bf16 with its wide products in fp32 (`wide_products`): about as fast, half the memory.
"""

from __future__ import annotations

import logging
from pathlib import Path
from time import perf_counter

import torch
from torch.nn import functional

from inference.config import Dtype

logger = logging.getLogger(__name__)

CPU_INFO = Path("/proc/cpuinfo")
MEMORY_INFO = Path("/proc/meminfo")
NATIVE_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
# A short question with a picture and its answer: rows of one prefill, then single rows of the
# answer.
PREFILL_ROWS = 256
ANSWER_ROWS = 96
WIDTH = 1024
# What fp32 weights may take of the memory that is free now.
MEMORY_SHARE = 0.25
TIMED_RUNS = 3


def choose_dtype(wanted: Dtype, bf16_bytes: int) -> torch.dtype:
    """Return the format to load weights in that take `bf16_bytes` in bf16.

    Measures for some milliseconds.
    """
    if wanted is Dtype.BF16:
        return torch.bfloat16
    if wanted is Dtype.FP32:
        return torch.float32
    if has_native_bf16():
        return torch.bfloat16
    available = available_memory_bytes()
    if available and 2 * bf16_bytes > available * MEMORY_SHARE:
        logger.info("fp32 weights would take too much of the free memory; using bf16.")
        return torch.bfloat16
    seconds = {dtype: _time_question(dtype) for dtype in (torch.bfloat16, torch.float32)}
    fastest = min(seconds, key=lambda dtype: seconds[dtype])
    logger.info(
        "Number format %s: fp32 takes %.1f times as long as bf16 here.",
        str(fastest).removeprefix("torch."),
        seconds[torch.float32] / seconds[torch.bfloat16],
    )
    return fastest


def has_native_bf16() -> bool:
    """Say whether the processor multiplies bf16 itself. Source: the flags in /proc/cpuinfo."""
    try:
        text = CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
    return bool(lines) and not NATIVE_BF16_FLAGS.isdisjoint(lines[0].split())


def are_wide_products_faster() -> bool:
    """Say whether many rows multiply faster in fp32, the weight's conversion included."""
    if has_native_bf16():
        return False
    weight = torch.ones(WIDTH, WIDTH, dtype=torch.bfloat16)
    rows = torch.ones(PREFILL_ROWS, WIDTH, dtype=torch.bfloat16)
    in_fp32 = _time_product(rows, weight, torch.float32)
    return in_fp32 < _time_product(rows, weight, torch.bfloat16)


def available_memory_bytes() -> int:
    """Return the memory that is free without swapping, 0 where the system does not say."""
    try:
        text = MEMORY_INFO.read_text(encoding="ascii")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _time_question(dtype: torch.dtype) -> float:
    """Return the seconds one layer's matrix takes for a whole question and its answer."""
    weight = torch.ones(WIDTH, WIDTH, dtype=dtype)
    prefill = torch.ones(PREFILL_ROWS, WIDTH, dtype=dtype)
    return _time_product(prefill, weight, dtype) + ANSWER_ROWS * _time_product(
        prefill[:1], weight, dtype
    )


def _time_product(rows: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> float:
    """Return the seconds of one product computed in `dtype`, the shortest of several."""
    best = float("inf")
    for _ in range(1 + TIMED_RUNS):  # the first one also sets things up
        began = perf_counter()
        functional.linear(rows.to(dtype), weight.to(dtype))
        best = min(best, perf_counter() - began)
    return best
