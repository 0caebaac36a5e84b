"""One file of spilled pages: what stands where, writing it whole, reading a page of it back.

Layout, little-endian: magic, model (32 bytes), bytes a page (u64), pages n (u32); n times chain
(32 bytes) and crc32 of the page (u32); crc32 of all so far (u32); then n pages as they lie in
memory. The file's name is the hex chain of its last page. A file is only evidence: whatever does
not agree with itself, its name and this model is refused, and its reader computes anew instead.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

SUFFIX: Final = ".pages"
PARTIAL_SUFFIX: Final = ".pages-partial"
MOST_PAGES: Final = 16
"""Pages in one file: for the 2B shape in int8 17 MB, 256 tokens."""

_MAGIC: Final = b"VLPAGES2"
_HEAD: Final = struct.Struct("<8s32sQI")
_PAGE: Final = struct.Struct("<32sI")
_CHECKSUM: Final = struct.Struct("<I")


class BrokenPagesError(Exception):
    """A file of pages that is damaged, cut off, or not of this model; the text says which."""


@dataclass(frozen=True, slots=True)
class PageForm:
    """What all pages of a folder have in common: the model's root chain and the size of a page."""

    model: bytes
    page_bytes: int


@dataclass(frozen=True, slots=True)
class RunHeader:
    """The chains and checksums of a file's pages in order, and where the first page starts."""

    chains: tuple[bytes, ...]
    checksums: tuple[int, ...]

    @property
    def offset(self) -> int:
        """Return the position of the first page in bytes."""
        return _HEAD.size + len(self.chains) * _PAGE.size + _CHECKSUM.size


def name_run(chains: Sequence[bytes]) -> str:
    """Return the name of the file for a run of pages."""
    return chains[-1].hex() + SUFFIX


def count_run_bytes(form: PageForm, pages: int) -> int:
    """Return the size of a file with this many pages."""
    return _HEAD.size + pages * (_PAGE.size + form.page_bytes) + _CHECKSUM.size


def write_run(
    folder: Path, form: PageForm, chains: Sequence[bytes], contents: NDArray[np.uint8]
) -> RunHeader:
    """Write a run of pages, `contents` (pages, bytes a page); it appears whole or not at all.

    Readable by the owner only: pages are people's conversations. Not forced to the disk: after a
    power failure the checksums tell what is missing.

    Raises:
        OSError: the disk is full or the folder gone.
    """
    header = RunHeader(tuple(chains), tuple(zlib.crc32(content.data) for content in contents))
    descriptor, partial = tempfile.mkstemp(suffix=PARTIAL_SUFFIX, dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(_pack_header(form, header))
            file.write(contents.data)
        os.replace(partial, folder / name_run(chains))
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise
    return header


def read_header(path: Path, form: PageForm) -> RunHeader:
    """Return what a file says about its pages, after checking all but the pages themselves.

    Raises:
        BrokenPagesError: not a whole file of pages of this form under its own name.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        pages = _read_head(file, form)
        file.seek(0)
        start = file.read(_HEAD.size + pages * _PAGE.size)
        (checksum,) = _CHECKSUM.unpack(_read_exactly(file, _CHECKSUM.size))
    if zlib.crc32(start) != checksum:
        raise BrokenPagesError("the header's checksum is wrong")
    entries = list(_PAGE.iter_unpack(start[_HEAD.size :]))
    header = RunHeader(tuple(e[0] for e in entries), tuple(e[1] for e in entries))
    if path.name != name_run(header.chains):
        raise BrokenPagesError("the file has another's name")
    if path.stat().st_size != count_run_bytes(form, pages):
        raise BrokenPagesError("the file has another size than its header says")
    return header


def read_page(path: Path, form: PageForm, header: RunHeader, number: int) -> NDArray[np.uint8]:
    """Return the content of one page, (bytes a page,).

    Raises:
        BrokenPagesError: the page is damaged or cut off.
        OSError: the file cannot be read.
    """
    content = np.empty(form.page_bytes, dtype=np.uint8)
    with path.open("rb") as file:
        file.seek(header.offset + number * form.page_bytes)
        if file.readinto(content.data) != form.page_bytes:
            raise BrokenPagesError("the page is cut off")
    if zlib.crc32(content.data) != header.checksums[number]:
        raise BrokenPagesError("the page's checksum is wrong")
    return content


def _pack_header(form: PageForm, header: RunHeader) -> bytes:
    start = _HEAD.pack(_MAGIC, form.model, form.page_bytes, len(header.chains))
    for chain, checksum in zip(header.chains, header.checksums, strict=True):
        start += _PAGE.pack(chain, checksum)
    return start + _CHECKSUM.pack(zlib.crc32(start))


def _read_head(file: BinaryIO, form: PageForm) -> int:
    magic, model, page_bytes, pages = _HEAD.unpack(_read_exactly(file, _HEAD.size))
    if magic != _MAGIC or not 1 <= pages <= MOST_PAGES:
        raise BrokenPagesError("not a file of pages")
    if (model, page_bytes) != (form.model, form.page_bytes):
        raise BrokenPagesError("pages of another model")
    return int(pages)


def _read_exactly(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise BrokenPagesError("the header is cut off")
    return content
