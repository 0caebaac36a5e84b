"""Which kernels are chosen, and what is said about it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
import torch

from inference.engine import kernels
from inference.engine.kernels import available_kernels, choose_kernels, native_library
from inference.engine.kernels.native import NativeKernels


def test_the_best_native_kernels_are_preferred(
    native: NativeKernels, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger=kernels.__name__):
        chosen = choose_kernels()

    assert chosen.name == available_kernels()[0]
    assert native.name in available_kernels()
    assert "the processor supports them" in caplog.text


def test_processor_without_the_instructions_gets_the_portable_ones(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")

    assert choose_kernels().name == "portable"
    assert "the processor (DEFAULT) does not support avx2" in caplog.text
    assert available_kernels() == ("portable",)


def test_kernels_that_were_not_built_are_not_chosen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(native_library, "EXTENSION_SUFFIXES", [".absent"])

    assert choose_kernels().name == "portable"
    assert "the avx2 kernels were not built" in caplog.text


def test_kernels_of_another_version_are_refused(
    native: NativeKernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_library, "ABI_VERSION", -1)

    with pytest.raises(ValueError, match="install again"):
        choose_kernels(native.name)


def test_kernels_ask_the_processor_before_they_are_chosen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = native_library.ctypes.CDLL

    def without_the_instructions(path: str) -> object:
        library = real(path)
        monkeypatch.setattr(library, "vl_is_supported", lambda: 0)
        return library

    monkeypatch.setattr(native_library.ctypes, "CDLL", without_the_instructions)

    assert choose_kernels().name == "portable"
    assert "lacks instructions" in caplog.text or "were not built" in caplog.text


@pytest.mark.skipif(
    sys.platform != "linux" or torch.backends.cpu.get_cpu_capability() == "DEFAULT",
    reason="there are no native kernels for this processor",
)
def test_installation_has_built_the_kernels_of_this_processor() -> None:
    # A failing compiler only warns; without this, all tests of native kernels would be skipped.
    assert "avx2" in available_kernels()
    if "avx512_vnni" in Path("/proc/cpuinfo").read_text():
        assert available_kernels()[0] == "avx512"


def test_kernels_can_be_named() -> None:
    assert [choose_kernels(name).name for name in available_kernels()] == [*available_kernels()]


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(avx512, avx2, portable\), got 'sse'"):
        choose_kernels("sse")
