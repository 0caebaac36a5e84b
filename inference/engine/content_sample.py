"""A hash of files too large to be hashed whole at each start.

It covers the first 4 KiB of every given stretch and 4 KiB of each 4 MiB behind, so it costs about
a thousandth of the reading. It notices another file, a cut one, damage to a head or over a few
megabytes, and training that moves a tensor as a whole. It cannot notice a few changed numbers
between two samples: who edits weights by hand empties the cache.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import sys
from collections.abc import Iterable
from typing import BinaryIO, Final

SAMPLE_BYTES: Final = 4096
STEP_BYTES: Final = 4 << 20


class ContentSample:
    """A SHA-256 that grows by whole heads and by samples of long stretches."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._digest = hashlib.sha256()

    def add(self, content: bytes) -> None:
        """Take in bytes whole, and how many they are."""
        self._digest.update(len(content).to_bytes(8, "little"))
        self._digest.update(content)

    def add_stretches(self, file: BinaryIO, stretches: Iterable[tuple[int, int]]) -> None:
        """Take in samples of stretches of a file, each from its first byte up to its end."""
        samples = [
            (offset, min(SAMPLE_BYTES, end - offset))
            for start, end in stretches
            for offset in range(start, end, STEP_BYTES)
        ]
        _advise_whole(file, "RANDOM")
        cached = [_read_cached(file, *sample) for sample in samples]
        absent = [sample for sample, content in zip(samples, cached, strict=True) if not content]
        _announce(file, absent)
        for sample, content in zip(samples, cached, strict=True):
            self.add(content or _read(file, *sample))
        _leave_no_trace(file, absent)
        _advise_whole(file, "NORMAL")

    def hexdigest(self) -> str:
        """Return the hash of all that was taken in, 64 hexadecimal digits."""
        return self._digest.hexdigest()


def _advise_whole(file: BinaryIO, advice: str) -> None:
    if sys.platform == "linux":
        os.posix_fadvise(file.fileno(), 0, 0, getattr(os, f"POSIX_FADV_{advice}"))


def _read_cached(file: BinaryIO, offset: int, size: int) -> bytes | None:
    """Return a sample that the system has in memory; None where it has not, or does not say."""
    if sys.platform != "linux":
        return None
    content = bytearray(size)
    try:
        count = os.preadv(file.fileno(), [content], offset, os.RWF_NOWAIT)
    except OSError:  # it would have to be waited for, or the file system cannot tell
        return None
    return bytes(content) if count == size else None


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _announce(file: BinaryIO, samples: Iterable[tuple[int, int]]) -> None:
    """Let the disk fetch all samples at once, and nothing around them."""
    if sys.platform != "linux":
        return
    for offset, size in samples:
        os.posix_fadvise(file.fileno(), offset, size, os.POSIX_FADV_WILLNEED)


def _leave_no_trace(file: BinaryIO, samples: Iterable[tuple[int, int]]) -> None:
    """Take back what would slow a mapping of the file: small pages in the cache.

    Where one page of 4 KiB is already cached the system cannot bring in a huge one: a tenth of a
    mapped file lay in huge pages, not all of it. What was cached before is not `samples`' doing:
    trying to drop a thousand pieces of huge pages in use took 0.1 s at each start.
    """
    if sys.platform != "linux":
        return
    for offset, size in samples:
        # Only pages that lie wholly within are dropped.
        start = offset // mmap.PAGESIZE * mmap.PAGESIZE
        stop = -(-(offset + size) // mmap.PAGESIZE) * mmap.PAGESIZE
        os.posix_fadvise(file.fileno(), start, stop - start, os.POSIX_FADV_DONTNEED)
