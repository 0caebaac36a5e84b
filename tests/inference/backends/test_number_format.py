"""Which number format is chosen, and when it is not measured at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inference.backends import number_format
from inference.backends.number_format import choose_dtype, has_native_bf16
from inference.config import Dtype

GIB = 1024**3


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a folder whose files describe a machine with 16 GiB free and no bf16 arithmetic."""
    (tmp_path / "cpuinfo").write_text("flags : fpu avx2\n", encoding="utf-8")
    (tmp_path / "meminfo").write_text(f"MemAvailable: {16 * GIB // 1024} kB\n", encoding="ascii")
    monkeypatch.setattr(number_format, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(number_format, "MEMORY_INFO", tmp_path / "meminfo")
    return tmp_path


def set_seconds(monkeypatch: pytest.MonkeyPatch, *, bf16: float, fp32: float) -> None:
    seconds = {torch.bfloat16: bf16, torch.float32: fp32}
    monkeypatch.setattr(number_format, "_time_question", seconds.__getitem__)


@pytest.mark.parametrize(
    ("wanted", "dtype"), [(Dtype.BF16, torch.bfloat16), (Dtype.FP32, torch.float32)]
)
def test_wish_is_followed(wanted: Dtype, dtype: torch.dtype) -> None:
    assert choose_dtype(wanted, 100 * GIB) is dtype


@pytest.mark.parametrize(("bf16", "fp32"), [(3.0, 1.0), (1.0, 3.0)])
def test_faster_format_is_chosen(
    machine: Path, monkeypatch: pytest.MonkeyPatch, bf16: float, fp32: float
) -> None:
    set_seconds(monkeypatch, bf16=bf16, fp32=fp32)

    expected = torch.float32 if fp32 < bf16 else torch.bfloat16
    assert choose_dtype(Dtype.AUTO, 1 * GIB) is expected


def test_weights_that_would_fill_the_memory_stay_in_bf16(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_seconds(monkeypatch, bf16=3.0, fp32=1.0)

    assert choose_dtype(Dtype.AUTO, 6 * GIB) is torch.bfloat16


def test_processor_with_bf16_arithmetic_is_not_measured(machine: Path) -> None:
    (machine / "cpuinfo").write_text("flags : avx2 avx512_bf16\n", encoding="utf-8")

    assert has_native_bf16()
    assert choose_dtype(Dtype.AUTO, 1) is torch.bfloat16


def test_machine_that_tells_nothing_is_measured(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "cpuinfo").unlink()
    (machine / "meminfo").unlink()

    assert choose_dtype(Dtype.AUTO, 1) in (torch.bfloat16, torch.float32)
