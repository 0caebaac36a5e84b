"""The tensors of a model folder's safetensors files, by name, where they lie.

A tensor is a view of its mapped file: nothing is read before it is used and nothing is copied.
`release` gives the memory back when a group of tensors has served. Knows names, shapes and number
formats of the files; what the engine makes of them is `weight_plan`'s.

Source: the safetensors format description (eight bytes of length, a JSON head, the tensors).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, Final

import torch
from torch import Tensor

from inference.engine.content_sample import ContentSample
from inference.engine.mapped_memory import MappedMemory, map_for_reading
from inference.engine.shape import UnsupportedModelError
from inference.errors import ErrorCode, InferenceError
from inference.model_folder import (
    DOWNLOAD_AGAIN,
    INDEX_FILE,
    LENGTH_BYTES,
    MAX_HEADER_BYTES,
    WEIGHTS_FILE,
)

FORMATS: Final[Mapping[str, torch.dtype]] = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
}


@dataclass(frozen=True, slots=True)
class Source:
    """A tensor that the engine wants: its name on disk and its shape."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a file: its format and shape, and the bytes that it has there."""

    file: str
    format: str
    shape: tuple[int, ...]
    start: int
    end: int


class Checkpoint:
    """The weights of one model folder, in one file or in several with an index."""

    def __init__(self, folder: Path) -> None:
        """Read the heads of all files.

        Raises:
            InferenceError: `model_unavailable`; the message names the file that is missing or
                damaged, and the remedy.
        """
        self._folder = folder
        self._index = _read_index(folder)
        files = sorted(set(self._index.values())) or [WEIGHTS_FILE]
        self._heads = {name: _read_head(folder, name) for name in files}
        self._tensors = {
            name: stored for head in self._heads.values() for name, stored in head.items()
        }
        self._mapped: dict[str, MappedMemory] = {}

    def check(self, sources: Iterable[Source]) -> None:
        """Return if every wanted tensor is there in its shape, in a format that can be read.

        Raises:
            InferenceError: `model_unavailable`; names file, tensor, the shape found and the shape
                that config.json asks for.
            UnsupportedModelError: a tensor is stored in a format that the engine does not have.
        """
        for source in sources:
            stored = self._find(source.name)
            if stored.shape != source.shape:
                raise _broken(
                    self._folder,
                    stored.file,
                    f"The tensor {source.name} has the shape {list(stored.shape)}, but by"
                    f" config.json it must be {list(source.shape)}.",
                )
            if stored.format not in FORMATS:
                raise UnsupportedModelError(f"{source.name} is stored as {stored.format}")

    def read(self, name: str) -> Tensor:
        """Return a tensor as a view of its mapped file, in the file's number format.

        It stays valid, and must not be written to.

        Raises:
            InferenceError: `model_unavailable`; no file has the tensor.
        """
        stored = self._find(name)
        content = self._map(stored.file).content[stored.start : stored.end]
        dtype = FORMATS[stored.format]
        if stored.start % dtype.itemsize:
            content = content.clone()  # a head of odd length, as the format allows
        return content.view(dtype).view(stored.shape)

    def release(self) -> None:
        """Give back the memory of everything read so far."""
        for memory in self._mapped.values():
            memory.release()

    def fingerprint(self) -> str:
        """Return a hash of the content, 64 hexadecimal digits, from heads, sizes and samples.

        It does not depend on the folder's place, or on times. See `content_sample` for what it
        cannot notice. Reads about a thousandth of the files.
        """
        sample = ContentSample()
        for name, head in self._heads.items():
            with (self._folder / name).open("rb", buffering=0) as file:
                stretches = sorted((tensor.start, tensor.end) for tensor in head.values())
                sample.add(file.read(stretches[0][0] if stretches else 0))
                # The tensors' ends give the size: `_read_head` has compared them.
                sample.add_stretches(file, stretches)
        return sample.hexdigest()

    def _find(self, name: str) -> StoredTensor:
        stored = self._tensors.get(name)
        if stored is not None:
            return stored
        file = self._index.get(name)
        if file is not None:
            reason = f"It lacks the tensor {name}, which {INDEX_FILE} places there."
        else:
            file = INDEX_FILE if self._index else WEIGHTS_FILE
            reason = f"It lacks the tensor {name}."
        raise _broken(self._folder, file, f"{reason} {DOWNLOAD_AGAIN}")

    def _map(self, name: str) -> MappedMemory:
        if name not in self._mapped:
            with (self._folder / name).open("rb") as file:
                self._mapped[name] = map_for_reading(file)
        return self._mapped[name]


def _read_index(folder: Path) -> dict[str, str]:
    """Return which file has which tensor; empty for a folder with one file."""
    path = folder / INDEX_FILE
    if not path.exists():
        return {}
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        return {str(name): str(file) for name, file in places.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(folder, INDEX_FILE, f"It cannot be read. {DOWNLOAD_AGAIN}") from error


def _read_head(folder: Path, name: str) -> dict[str, StoredTensor]:
    """Return the tensors of one file, after comparing its size with what its head promises."""
    try:
        with (folder / name).open("rb") as file:
            size = file.seek(0, 2)
            tensors = _parse_head(file, name, size)
    except FileNotFoundError as error:
        raise _broken(folder, name, f"It is missing. {DOWNLOAD_AGAIN}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(
            folder, name, f"It is damaged: its head cannot be read. {DOWNLOAD_AGAIN}"
        ) from error
    end = max((tensor.end for tensor in tensors.values()), default=0)
    if size != end:
        raise _broken(folder, name, f"It has {size:,} bytes instead of {end:,}. {DOWNLOAD_AGAIN}")
    return tensors


def _parse_head(file: BinaryIO, name: str, size: int) -> dict[str, StoredTensor]:
    file.seek(0)
    head_bytes = int.from_bytes(file.read(LENGTH_BYTES), "little")
    if head_bytes > min(size, MAX_HEADER_BYTES):
        raise ValueError(f"a head of {head_bytes} bytes")
    head = json.loads(file.read(head_bytes))
    first = LENGTH_BYTES + head_bytes
    return {
        key: _parse_tensor(entry, name, first)
        for key, entry in head.items()
        if key != "__metadata__"
    }


def _parse_tensor(entry: Mapping[str, object], name: str, first: int) -> StoredTensor:
    """Return where a tensor lies; `first` is the file's first byte behind the head."""
    shape, offsets, number_format = entry["shape"], entry["data_offsets"], str(entry["dtype"])
    if not isinstance(shape, list) or not isinstance(offsets, list):
        raise TypeError("shape and data_offsets must be lists")
    start, end = (int(offset) for offset in offsets)
    sizes = tuple(int(size) for size in shape)
    dtype = FORMATS.get(number_format)
    if start < 0 or (dtype is not None and end - start != prod(sizes) * dtype.itemsize):
        raise ValueError(f"{end - start} bytes for a tensor {sizes} of {number_format}")
    return StoredTensor(name, number_format, sizes, first + start, first + end)


def _broken(folder: Path, name: str, reason: str) -> InferenceError:
    # The folder's own name and not its path: people who chat may read this message too.
    where = f"{folder.name}/{name}"
    return InferenceError(
        ErrorCode.MODEL_UNAVAILABLE, f"The model cannot be loaded: {where}: {reason}"
    )
