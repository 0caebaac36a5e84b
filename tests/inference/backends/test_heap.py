"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest

from inference.backends import heap
from inference.backends.heap import trim_heap

BLOCK_BYTES = 64 * 1024
BLOCKS = 800


def count_resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="asks the C library of Linux")
def test_holes_between_what_stays_are_given_back() -> None:
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    blocks = [ctypes.c_void_p(library.malloc(ctypes.c_size_t(BLOCK_BYTES))) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK_BYTES)
    for block in blocks[:-1]:  # the last one keeps the heap from shrinking by itself
        library.free(block)
    before = count_resident_bytes()

    trim_heap()

    given_back = before - count_resident_bytes()
    library.free(blocks[-1])
    assert given_back > BLOCKS * BLOCK_BYTES / 2


def test_library_without_it_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())

    trim_heap()
