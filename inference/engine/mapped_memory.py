"""Memory that a tensor may lie in: a mapped file, or huge pages of the process's own.

Tensors keep their mapping alive; nothing here is ever closed by hand, because a mapping that is
closed under a tensor ends the process at the next read.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Final

import torch
from torch import Tensor

POPULATE_READ: Final = 22
"""Source: MADV_POPULATE_READ in Linux' mman-common.h; mmap has no name for it before 3.14."""

POPULATED_BYTES: Final = 2**26
"""Brought into memory at a time: a third of a second from a slow disk."""


@dataclass(frozen=True, slots=True)
class MappedMemory:
    """A mapping and its bytes as a tensor (uint8, one dimension)."""

    mapping: mmap.mmap
    content: Tensor

    def release(self) -> None:
        """Take the pages out of this process's memory; the next read brings them back.

        Nothing is lost: a file's pages, changed ones too, stay with the system.
        """
        self.mapping.madvise(mmap.MADV_DONTNEED)


def map_for_reading(file: BinaryIO) -> MappedMemory:
    """Map a whole file, read-only and shared: a write to the tensor ends the process.

    Raises:
        ValueError: the file is empty.
    """
    mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    _ask_for_huge_pages(mapping)
    with warnings.catch_warnings():
        # torch has no read-only tensors, and says so; these are for kernels that only read.
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        return MappedMemory(mapping, torch.frombuffer(mapping, dtype=torch.uint8))


def populate_in_background(memory: MappedMemory) -> threading.Thread:
    """Bring a mapped file into memory, and its pages into this process, beside other work.

    Returns the thread, which nobody has to wait for: whoever reads a page that is not there yet
    waits for that one only, and a process that ends leaves the rest. On the second core this takes
    nobody's time, while the same page faults in the first pass over 2.3 GB took 0.3 s. Where the
    system cannot do it (before Linux 5.14) nothing happens.
    """
    # No daemon: one that lets go of the last tensor while the interpreter ends aborts the process.
    thread = threading.Thread(target=_populate, args=(memory,), name="weights-populate")
    thread.start()
    return thread


def map_for_writing(file: BinaryIO) -> MappedMemory:
    """Map a whole file that is open for reading and writing; writes reach the file.

    Its space must be taken: on a full disk, a write to a hole ends the process. Whoever maps the
    file later finds it in pages as large as those that were written, until they leave memory.
    """
    mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE)
    _ask_for_huge_pages(mapping)
    return MappedMemory(mapping, torch.frombuffer(mapping, dtype=torch.uint8))


def take_huge_pages(size_bytes: int) -> MappedMemory:
    """Return zeroed memory of this process, in huge pages where the system has them."""
    mapping = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    _ask_for_huge_pages(mapping)
    return MappedMemory(mapping, torch.frombuffer(mapping, dtype=torch.uint8))


def read_into_huge_pages(file: BinaryIO, offset: int, size_bytes: int) -> MappedMemory:
    """Return a stretch of a file in memory of this process.

    Raises:
        OSError: the file ends before.
    """
    memory = take_huge_pages(size_bytes)
    file.seek(offset)
    with memoryview(memory.mapping) as view:
        done = 0
        while done < size_bytes:
            # An unbuffered read gives 2 GiB at most.
            count = file.readinto(view[done:])  # type: ignore[attr-defined]  # typeshed: not on BinaryIO
            if not count:
                raise OSError(f"the file ends {size_bytes - done} bytes early")
            done += count
    return memory


def _populate(memory: MappedMemory) -> None:
    # Not mmap.madvise: that keeps the interpreter's lock for all the time.
    start, size = memory.content.data_ptr(), memory.content.nbytes
    with suppress(OSError, AttributeError):  # a system without madvise
        madvise = ctypes.CDLL(None).madvise
        for done in range(0, size, POPULATED_BYTES):
            if not threading.main_thread().is_alive():  # the process ends, and would wait for this
                return
            place, length = ctypes.c_void_p(start + done), min(POPULATED_BYTES, size - done)
            madvise(place, ctypes.c_size_t(length), ctypes.c_int(POPULATE_READ))


def _ask_for_huge_pages(mapping: mmap.mmap) -> None:
    """Have pages of 2 MiB, also of files where the file system can (ext4 and xfs of late)."""
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux only
        with suppress(OSError):  # a kernel without them
            mapping.madvise(mmap.MADV_HUGEPAGE)
