"""bf16 or fp32: which number format the weights compute in on this processor.

bf16 halves memory and the bytes of each decoded token. Processors without bf16 arithmetic emulate
it: measured on two AVX2 cores, a matrix product over 300 rows is six times slower in bf16 than in
fp32, over one row 1.6 times faster. So the choice is measured, and made only where fp32 fits
comfortably into memory.
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
MEMORY_SHARE = 0.6
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
        logger.info("fp32 weights would not leave enough memory free; using bf16.")
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


def available_memory_bytes() -> int:
    """Return the memory that could be used now without swapping.

    0 where the system does not say.
    """
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
    return _time_product(prefill, weight) + ANSWER_ROWS * _time_product(prefill[:1], weight)


def _time_product(rows: torch.Tensor, weight: torch.Tensor) -> float:
    functional.linear(rows, weight)
    best = float("inf")
    for _ in range(TIMED_RUNS):
        began = perf_counter()
        functional.linear(rows, weight)
        best = min(best, perf_counter() - began)
    return best
