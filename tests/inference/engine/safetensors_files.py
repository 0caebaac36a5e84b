"""Weight files written by hand: heads of any length, formats that torch does not write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from inference.model_folder import INDEX_FILE, WEIGHTS_FILE


def write_file(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file(dict(tensors), path, metadata={"format": "pt"})


def write_one(folder: Path, tensors: Mapping[str, Tensor]) -> Path:
    """Write all tensors into one file."""
    folder.mkdir(exist_ok=True)
    write_file(folder / WEIGHTS_FILE, tensors)
    return folder


def write_shards(folder: Path, tensors: Mapping[str, Tensor]) -> Path:
    """Write every tensor into a file of its own, and the index."""
    folder.mkdir(exist_ok=True)
    places = {name: f"model-{number}.safetensors" for number, name in enumerate(tensors)}
    for name, file in places.items():
        write_file(folder / file, {name: tensors[name]})
    write_index(folder, places)
    return folder


def write_index(folder: Path, places: Mapping[str, str]) -> None:
    content = json.dumps({"metadata": {}, "weight_map": dict(places)})
    (folder / INDEX_FILE).write_text(content, encoding="utf-8")


def write_raw(folder: Path, head: Mapping[str, object], content: bytes, padding: int = 0) -> Path:
    """Write a head as it is, with so many blanks behind it, and the bytes of the tensors."""
    folder.mkdir(exist_ok=True)
    encoded = json.dumps(head).encode() + b" " * padding
    whole = len(encoded).to_bytes(8, "little") + encoded + content
    (folder / WEIGHTS_FILE).write_bytes(whole)
    return folder
