"""torch's library is open before torch is imported, and its absence is no error."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys

import pytest

from inference.backends.library_preload import preload_torch

OPENED = """
import sys
from inference.backends.library_preload import preload_torch
preload_torch().join()
print("torch" in sys.modules, "libtorch_cpu.so" in open("/proc/self/maps").read())
import torch
print((torch.ones(2, 3) @ torch.ones(3)).tolist())
"""


def test_library_is_open_before_the_import() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", OPENED], capture_output=True, text=True, check=True
    )

    assert ended.stdout.splitlines() == ["False True", "[3.0, 3.0]"]


def test_missing_torch_is_left_to_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    preload_torch().join()


def test_system_that_opens_libraries_otherwise_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str | None) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)

    preload_torch().join()
