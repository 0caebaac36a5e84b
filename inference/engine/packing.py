"""A checkpoint's tensors into packed parts, one after the other, in one stretch of memory.

The memory is the cache's mapped file where there is a cache, else huge pages of the process's own.
Each source is given back before the next part, so beside the packed model there is never more than
one part's source in memory: the largest, a table of the vocabulary, when nothing else is packed.
"""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import torch
from torch import Tensor

from inference.engine.checkpoint import Checkpoint
from inference.engine.kernels.base import Kernels, PackedMatrix
from inference.engine.mapped_memory import take_huge_pages
from inference.engine.packed_cache import PackedCache, PackedIndex, Place, align
from inference.engine.weight_plan import Part

logger = logging.getLogger(__name__)

ReportProgress: TypeAlias = Callable[[int, int], None]
"""Called with the packed bytes that are done, and all. What it raises breaks the packing off."""
FLOAT32: Final = "float32"


class PackedParts:
    """All parts of a model, by name; every tensor is a view of the same memory."""

    def __init__(self, parts: Sequence[Part], index: PackedIndex, content: Tensor) -> None:
        """Take `content` (uint8, one dimension) to hold the parts as the index says."""
        self._quantizations = {part.name: part.quantization for part in parts}
        self._places = {place.name: place for place in index.places}
        self._content = content

    @property
    def bytes(self) -> int:
        """Return the size of all parts."""
        return self._content.numel()

    def tensor(self, name: str) -> Tensor:
        """Return a float32 part."""
        return self._view(name).view(torch.float32).view(self._places[name].shape)

    def matrix(self, name: str) -> PackedMatrix:
        """Return a packed matrix.

        Raises:
            ValueError: the part is not a matrix.
        """
        place, quantization = self._places[name], self._quantizations[name]
        if quantization is None:
            raise ValueError(f"{name} is not packed")
        outputs, inputs = place.shape
        return PackedMatrix(place.layout, quantization, outputs, inputs, self._view(name))

    def _view(self, name: str) -> Tensor:
        place = self._places[name]
        return self._content[place.offset : place.offset + place.bytes]


class Packing:
    """One checkpoint on its way into packed form."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        parts: Sequence[Part],
        kernels: Kernels,
        *,
        report: ReportProgress,
    ) -> None:
        """Plan where each part lies; nothing is read yet.

        Raises:
            ValueError: the kernels cannot pack one of the shapes.
        """
        self._checkpoint = checkpoint
        self._parts = parts
        self._kernels = kernels
        self._report = report
        self._scratch = _Scratch()
        self._places = tuple(_place(parts, kernels))

    @property
    def index(self) -> PackedIndex:
        """Return what the cache's file must hold; reads samples of the checkpoint."""
        return self._index(self._checkpoint.fingerprint())

    def pack_in_memory(self) -> PackedParts:
        """Return all parts in new memory of this process."""
        index = self._index("in memory")
        content = take_huge_pages(index.bytes).content
        self._pack(index, content)
        return PackedParts(self._parts, index, content)

    def take_from_cache(self, cache: PackedCache) -> PackedParts:
        """Return all parts from the cache's file, which is made if there is none.

        Where no file can be made, packs in memory and logs a warning.
        """
        index = self.index
        content = cache.find(index)
        if content is None and self._write(cache, index):
            content = cache.find(index)
        if content is None:
            return self.pack_in_memory()
        self._report(index.bytes, index.bytes)
        return PackedParts(self._parts, index, content)

    def _index(self, source: str) -> PackedIndex:
        return PackedIndex(kernels=self._kernels.name, source=source, places=self._places)

    def _write(self, cache: PackedCache, index: PackedIndex) -> bool:
        """Pack into a new file of the cache; say whether there is one now."""
        try:
            with cache.draft(index) as draft:
                self._pack(index, draft.content)
                draft.publish(cache.path(index))
        except OSError as error:
            logger.warning(
                "No packed weights can be kept in %s, so every start packs again: %s.",
                cache.directory,
                error.strerror or error,
            )
            return False
        cache.remove_old()
        return True

    def _pack(self, index: PackedIndex, content: Tensor) -> None:
        for part, place in zip(self._parts, index.places, strict=True):
            self._pack_part(part, content[place.offset : place.offset + place.bytes])
            self._checkpoint.release()
            self._report(place.offset + place.bytes, index.bytes)

    def _pack_part(self, part: Part, out: Tensor) -> None:
        sources = [self._checkpoint.read(source.name) for source in part.sources]
        if part.quantization is None:
            out.view(torch.float32).copy_(sources[0].flatten())
            return
        weight = _join([source.flatten(1) for source in sources], self._scratch)
        has_uneven_inputs = part.has_uneven_inputs
        self._kernels.pack(weight, part.quantization, out, has_uneven_inputs=has_uneven_inputs)


class _Scratch:
    """Memory for one joined matrix at a time, the same for all.

    malloc, asked for 16 MB and 4 MB in turn, kept almost every piece: 1.7 times the packed model.
    """

    def __init__(self) -> None:
        self._memory = take_huge_pages(mmap.PAGESIZE)

    def matrix(self, outputs: int, inputs: int, dtype: torch.dtype) -> Tensor:
        """Return a matrix of any content; it ends the use of the one before."""
        size = outputs * inputs * dtype.itemsize
        if size > self._memory.content.numel():
            self._memory = take_huge_pages(align(size, mmap.PAGESIZE))
        return self._memory.content[:size].view(dtype).view(outputs, inputs)


def _join(rows: Sequence[Tensor], scratch: _Scratch) -> Tensor:
    """Return matrices below one another, in a format that kernels take; one alone as it lies."""
    # Kernels take bfloat16, to which the half floats of a checkpoint would be rounded, or float32.
    is_brain = all(source.dtype is torch.bfloat16 for source in rows)
    dtype = torch.bfloat16 if is_brain else torch.float32
    if len(rows) == 1 and rows[0].dtype is dtype:
        return rows[0]
    joined = scratch.matrix(sum(len(source) for source in rows), rows[0].shape[1], dtype)
    return torch.cat(list(rows), out=joined)


def _place(parts: Sequence[Part], kernels: Kernels) -> Iterator[Place]:
    """Yield the places of all parts, one behind the other."""
    offset = 0
    for part in parts:
        if part.quantization is None:
            layout, size = FLOAT32, torch.Size(part.shape).numel() * torch.float32.itemsize
        else:
            outputs, inputs = part.shape
            has_uneven_inputs = part.has_uneven_inputs
            layout = kernels.layout(part.quantization, has_uneven_inputs=has_uneven_inputs)
            size = kernels.packed_bytes(outputs, inputs, part.quantization)
        yield Place(part.name, offset, size, part.shape, layout)
        offset = align(offset + size)
