"""Tensors lie in files or in huge pages, and stay valid whatever happens to the file's name."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal

import pytest
import torch

from inference.engine.mapped_memory import (
    MappedMemory,
    map_for_reading,
    map_for_writing,
    populate_in_background,
    read_into_huge_pages,
    take_huge_pages,
)

CONTENT = bytes(range(256)) * 64
WRITE_TO_A_READING_MAP = """
import sys
from inference.engine.mapped_memory import map_for_reading
with open(sys.argv[1], "rb") as file:
    memory = map_for_reading(file)
memory.content[0] = 1
"""

END_WHILE_POPULATING = """
import atexit, ctypes, sys, threading, time
from types import SimpleNamespace
from inference.engine import mapped_memory
calls, has_begun = [], threading.Event()
def madvise(*arguments):
    calls.append(arguments)
    has_begun.set()
    time.sleep(0.05)
mapped_memory.POPULATED_BYTES = 16  # a thousand steps: 50 s
ctypes.CDLL = lambda name: SimpleNamespace(madvise=madvise)
with open(sys.argv[1], "rb") as file:
    mapped_memory.populate_in_background(mapped_memory.map_for_reading(file))
has_begun.wait()
atexit.register(lambda: print(len(calls)))  # once all threads are joined
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file of four pages."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def resident_bytes(address: int) -> int:
    """Return how much of the mapping at an address is in this process's memory.

    Source: /proc/PID/smaps, a head line and the sizes of each mapping.
    """
    lines = iter(Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"{address:x}-"):
            sizes = next(size for size in lines if size.startswith("Rss:"))
            return int(sizes.split()[1]) * 1024
    raise LookupError(f"no mapping at {address:x}")


def test_mapped_file_is_read_without_a_warning(path: Path) -> None:
    with path.open("rb") as file:
        memory = map_for_reading(file)

    assert memory.content.numpy().tobytes() == CONTENT


def test_mapped_file_is_brought_into_memory(path: Path) -> None:
    with path.open("rb") as file:
        memory = map_for_reading(file)
    address = memory.content.data_ptr()

    populate_in_background(memory).join()

    assert resident_bytes(address) == len(CONTENT)


def test_process_that_ends_leaves_the_rest(path: Path) -> None:
    # It used to be a daemon, and aborted the process when it let go of the last tensor too late.
    command = [sys.executable, "-c", END_WHILE_POPULATING, str(path)]

    ended = subprocess.run(command, check=True, capture_output=True, text=True)

    assert 0 < int(ended.stdout) < len(CONTENT) // 16


def test_system_that_cannot_populate_is_no_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str | None) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    with path.open("rb") as file:
        memory = map_for_reading(file)

    populate_in_background(memory).join()

    assert memory.content.numpy().tobytes() == CONTENT


def test_mapped_file_stays_readable_after_its_removal(path: Path) -> None:
    with path.open("rb") as file:
        content = map_for_reading(file).content

    path.unlink()

    assert content.numpy().tobytes() == CONTENT


def test_writing_to_a_file_mapped_for_reading_ends_the_process(path: Path) -> None:
    command = [sys.executable, "-c", WRITE_TO_A_READING_MAP, str(path)]

    ended = subprocess.run(command, check=False)

    assert ended.returncode == -signal.SIGSEGV
    assert path.read_bytes() == CONTENT


def test_writes_reach_the_file_also_after_release(path: Path) -> None:
    with path.open("r+b") as file:
        memory = map_for_writing(file)
    memory.content.fill_(7)

    memory.release()

    assert torch.equal(memory.content, torch.full_like(memory.content, 7))
    assert path.read_bytes() == b"\x07" * len(CONTENT)


def test_huge_pages_begin_as_zeros_and_can_be_written() -> None:
    content = take_huge_pages(10_000).content
    assert content.shape == (10_000,)
    assert content.count_nonzero() == 0

    content[-1] = 3

    assert content.sum() == 3


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells")
@pytest.mark.parametrize(("map_file", "mode"), [(map_for_reading, "rb"), (map_for_writing, "r+b")])
def test_mapped_files_ask_for_huge_pages(
    path: Path, map_file: Callable[[BinaryIO], MappedMemory], mode: Literal["rb", "r+b"]
) -> None:
    with path.open(mode, buffering=0) as file:
        memory = map_file(file)

    mappings = Path("/proc/self/smaps").read_text().split("VmFlags:")
    mine = next(i for i, text in enumerate(mappings) if str(path) in text)
    assert "hg" in mappings[mine + 1].splitlines()[0].split()
    del memory


def test_stretch_of_a_file_is_read_into_memory(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        memory = read_into_huge_pages(file, 100, 1000)

    assert torch.equal(memory.content, torch.tensor(list(CONTENT[100:1100]), dtype=torch.uint8))


def test_file_that_ends_early_cannot_be_read_into_memory(path: Path) -> None:
    with path.open("rb", buffering=0) as file, pytest.raises(OSError, match="ends 100 bytes early"):
        read_into_huge_pages(file, 100, len(CONTENT))


def test_empty_file_cannot_be_mapped(path: Path) -> None:
    path.write_bytes(b"")

    with path.open("rb") as file, pytest.raises(ValueError, match="empty"):
        map_for_reading(file)
