"""Packed weights on disk: one file that a second start only maps, shared by all processes.

A file is a magic word, the length of its head, the head (JSON: format, what it was made of, the
place of each part by name, a hash of samples) and, from the next page on, the parts, each on 64
bytes. It is written under a name of the writer's own and renamed when whole, so two processes that
start at once disturb nobody: the later one replaces an equal file. A file that is cut, damaged or
of another kind is as good as none.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from torch import Tensor

from inference.engine.content_sample import ContentSample
from inference.engine.mapped_memory import (
    map_for_reading,
    map_for_writing,
    populate_in_background,
    read_into_huge_pages,
)

logger = logging.getLogger(__name__)

MAGIC: Final = b"VLPACKED"
FORMAT: Final = 1
PAGE_BYTES: Final = 4096
ALIGNMENT_BYTES: Final = 64
"""A line of the processor's cache, and the widest vector."""
KEPT_FILES: Final = 4
SUFFIX: Final = ".packed"
PART_SUFFIX: Final = ".part"
_NO_SAMPLE: Final = "0" * 64


class Residence(StrEnum):
    """Where the weights of a cache file lie while they are used.

    MAPPED: the file itself; starts at once, and all processes of a machine share the memory. On
    ext4 with Linux 6.18 all of it came to lie in huge pages, also from a cold disk.
    OWN: a copy in huge pages of this process, read at each start (2.3 GB: tens of seconds on a busy
    machine). Only for file systems that give a mapping no huge pages.
    """

    MAPPED = "mapped"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part lies behind the head, and its form: a kernel's layout, or `float32`."""

    name: str
    offset: int
    bytes: int
    shape: tuple[int, ...]
    layout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedIndex:
    """What a cache file holds: who packed it, the fingerprint of what, and the places."""

    kernels: str
    source: str
    places: tuple[Place, ...]

    @property
    def bytes(self) -> int:
        """Return the size of all parts with the gaps between them."""
        return self.places[-1].offset + self.places[-1].bytes

    def key(self) -> str:
        """Return the word that names the file, 32 hexadecimal digits."""
        return hashlib.sha256(_encode_head(self, _NO_SAMPLE)).hexdigest()[:32]


def align(offset: int, boundary: int = ALIGNMENT_BYTES) -> int:
    """Return the next multiple of a boundary."""
    return -(-offset // boundary) * boundary


class Draft:
    """A cache file that is being written: `memory` is its parts, mapped for writing."""

    def __init__(self, file: BinaryIO, path: Path, index: PackedIndex) -> None:
        """Take the whole space of an empty file and map it.

        Raises:
            OSError: there is no room.
        """
        self._file = file
        self._path = path
        self._index = index
        self._start = _parts_start(index)
        _take_space(file, self._start + index.bytes)
        self._whole = map_for_writing(file)

    @property
    def content(self) -> Tensor:
        """Return the memory of the parts (uint8, one dimension)."""
        return self._whole.content[self._start :]

    def publish(self, target: Path) -> None:
        """Write the head, bring all to the disk and give the file its name.

        Raises:
            OSError: the disk failed, or the directory is gone.
        """
        self._whole.mapping.flush()
        head = _encode_head(self._index, _sample(self._file, self._index))
        self._file.seek(0)
        self._file.write(head)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.rename(target)


@dataclass(frozen=True, slots=True)
class PackedCache:
    """The cache files of one directory, of which the `kept` last used stay."""

    directory: Path
    residence: Residence = Residence.MAPPED
    kept: int = KEPT_FILES

    def find(self, index: PackedIndex) -> Tensor | None:
        """Return the parts (uint8, one dimension, not to be written to), or None without a file.

        A file that is not whole, or not what its name says, is logged and counts as none.
        """
        path = self.path(index)
        try:
            with path.open("rb", buffering=0) as file:
                _check(file, index)
                content = self._read(file, index)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            logger.warning("The packed weights in %s are not used: %s.", path, error)
            return None
        with suppress(OSError):  # a directory that is only to be read
            os.utime(path)  # the last used stay
        return content

    @contextmanager
    def draft(self, index: PackedIndex) -> Iterator[Draft]:
        """Give a file to write the parts to; it is gone afterwards unless it was published.

        Raises:
            OSError: the directory cannot be made or written to, or there is no room.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()
        descriptor, name = tempfile.mkstemp(
            prefix=f"{index.key()}-", suffix=PART_SUFFIX, dir=self.directory
        )
        path = Path(name)
        with os.fdopen(descriptor, "w+b") as file:
            # The system takes the lock back when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield Draft(file, path, index)
            finally:
                path.unlink(missing_ok=True)

    def remove_old(self) -> None:
        """Remove all but the last used files; processes that have them mapped keep them."""
        with suppress(OSError):
            files = sorted(self.directory.glob(f"*{SUFFIX}"), key=_used_at, reverse=True)
            for path in files[self.kept :]:
                path.unlink(missing_ok=True)
                logger.info("Removed the packed weights %s: %d newer are kept.", path, self.kept)

    def path(self, index: PackedIndex) -> Path:
        """Return the name of the file with such content."""
        return self.directory / f"{index.key()}{SUFFIX}"

    def _read(self, file: BinaryIO, index: PackedIndex) -> Tensor:
        start = _parts_start(index)
        if self.residence is Residence.OWN:
            return read_into_huge_pages(file, start, index.bytes).content
        memory = map_for_reading(file)
        populate_in_background(memory)
        return memory.content[start:]

    def _remove_abandoned(self) -> None:
        """Remove drafts whose writers have died: they hold as much disk as a model."""
        for path in self.directory.glob(f"*{PART_SUFFIX}"):
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
                logger.info("Removed %s, which another start left unfinished.", path)


def _check(file: BinaryIO, index: PackedIndex) -> None:
    """Compare size, head and samples with what they must be.

    Raises:
        ValueError: with what is wrong.
    """
    size, expected = file.seek(0, 2), _parts_start(index) + index.bytes
    if size != expected:
        raise ValueError(f"{size:,} bytes instead of {expected:,}")
    head = _encode_head(index, _sample(file, index))
    file.seek(0)
    if file.read(len(head)) != head:
        raise ValueError("damaged, or made by another program")


def _sample(file: BinaryIO, index: PackedIndex) -> str:
    start = _parts_start(index)
    sample = ContentSample()
    sample.add_stretches(
        file, [(start + place.offset, start + place.offset + place.bytes) for place in index.places]
    )
    return sample.hexdigest()


def _encode_head(index: PackedIndex, sample: str) -> bytes:
    """Return all bytes in front of the parts; as many for one sample as for another."""
    head = {
        "format": FORMAT,
        "kernels": index.kernels,
        "source": index.source,
        "sample": sample,
        "places": {place.name: _encode_place(place) for place in index.places},
    }
    content = json.dumps(head, separators=(",", ":")).encode()
    start = MAGIC + len(content).to_bytes(8, "little") + content
    return start.ljust(align(len(start), PAGE_BYTES), b"\0")


def _encode_place(place: Place) -> dict[str, object]:
    # Not dataclasses.asdict: for the 541 places of the 2B shape it took a quarter of a second.
    return {
        "offset": place.offset,
        "bytes": place.bytes,
        "shape": place.shape,
        "layout": place.layout,
    }


def _parts_start(index: PackedIndex) -> int:
    return len(_encode_head(index, _NO_SAMPLE))


def _take_space(file: BinaryIO, size: int) -> None:
    """Make a file so large on the disk itself: no later write can find the disk full."""
    if sys.platform == "linux":
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(1 << 20)
    for start in range(0, size, len(zeros)):
        file.write(zeros[: size - start])
    file.flush()


def _used_at(path: Path) -> float:
    return path.stat().st_mtime
