"""Is this folder a whole vision-language model? If not: which file is wrong, and the remedy.

Looks at names, JSON and the heads of weight files only; milliseconds, no torch. transformers
itself would answer a missing shard with a traceback and a missing weight with random numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from inference.errors import ErrorCode, InferenceError

TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
OTHER_WEIGHT_FILES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
INDEX_FILE = "model.safetensors.index.json"
WEIGHTS_FILE = "model.safetensors"
LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
LFS_POINTER = b"version https://git-lfs"
DOWNLOAD_AGAIN = "Download or copy it again."


def check_model_folder(folder: Path) -> None:
    """Return if the folder looks whole.

    Raises:
        InferenceError: `model_unavailable`; the message names the folder, the file and the remedy.
    """
    if not folder.is_dir():
        raise _broken(
            folder, "", "There is no such folder. Give a folder or the name of a model on the hub."
        )
    config = read_json(folder, "config.json")
    if not any(key.startswith(("vision", "vq_")) for key in config):
        kind = config.get("model_type", "unknown")
        raise _broken(
            folder,
            "config.json",
            f"It describes a model of type '{kind}' that cannot see pictures.",
        )
    _check_weights(folder)
    _require_one(folder, TOKENIZER_FILES, "the tokenizer")
    _require_one(folder, PROCESSOR_FILES, "how pictures are prepared")
    _check_template(folder)


def weigh_model_folder(folder: Path) -> int:
    """Return the bytes of the folder's weight files."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def read_json(folder: Path, name: str) -> Mapping[str, object]:
    """Return the object in one of the folder's JSON files.

    Raises:
        InferenceError: `model_unavailable`; the file is missing or broken.
    """
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _broken(folder, name, f"It is missing. {DOWNLOAD_AGAIN}") from error
    except (OSError, ValueError) as error:
        raise _broken(folder, name, f"It cannot be read as JSON. {DOWNLOAD_AGAIN}") from error
    if not isinstance(content, dict):
        raise _broken(folder, name, f"It is not a JSON object. {DOWNLOAD_AGAIN}")
    return content


def _check_weights(folder: Path) -> None:
    if (folder / INDEX_FILE).exists():
        shards = _shards_of(folder)
        for shard in shards:
            if not (folder / shard).is_file():
                raise _broken(
                    folder, shard, f"It is missing, but {INDEX_FILE} names it. {DOWNLOAD_AGAIN}"
                )
            _check_safetensors(folder, shard)
    elif (folder / WEIGHTS_FILE).exists():
        _check_safetensors(folder, WEIGHTS_FILE)
    elif not any((folder / name).exists() for name in OTHER_WEIGHT_FILES):
        raise _broken(folder, WEIGHTS_FILE, f"The weights are missing. {DOWNLOAD_AGAIN}")


def _shards_of(folder: Path) -> list[str]:
    weight_map = read_json(folder, INDEX_FILE).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise _broken(folder, INDEX_FILE, f"It names no weight files. {DOWNLOAD_AGAIN}")
    return sorted({str(name) for name in weight_map.values()})


def _check_safetensors(folder: Path, name: str) -> None:
    """Compare the file's size with what its head promises.

    Source: the safetensors format description.
    """
    path = folder / name
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(LFS_POINTER))
        if start == LFS_POINTER:
            raise _broken(
                folder, name, "It is only a Git LFS pointer. Run 'git lfs pull' in the folder."
            )
        header_bytes = int.from_bytes(start[:LENGTH_BYTES], "little")
        file.seek(LENGTH_BYTES)
        header = file.read(header_bytes) if header_bytes <= min(size, MAX_HEADER_BYTES) else b""
    try:
        tensors = json.loads(header)
        ends = [entry["data_offsets"][1] for key, entry in tensors.items() if key != "__metadata__"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _broken(
            folder, name, f"It is damaged: its head cannot be read. {DOWNLOAD_AGAIN}"
        ) from error
    expected = LENGTH_BYTES + header_bytes + max(ends, default=0)
    if size != expected:
        raise _broken(
            folder,
            name,
            f"It has {size:,} bytes instead of {expected:,}, so it is incomplete. {DOWNLOAD_AGAIN}",
        )


def _check_template(folder: Path) -> None:
    if any((folder / name).exists() for name in TEMPLATE_FILES):
        return
    tokenizer_config = folder / "tokenizer_config.json"
    if tokenizer_config.exists() and "chat_template" in read_json(folder, tokenizer_config.name):
        return
    raise _broken(
        folder,
        TEMPLATE_FILES[0],
        "The chat template is missing: this is no model for conversation.",
    )


def _require_one(folder: Path, names: tuple[str, ...], purpose: str) -> None:
    if not any((folder / name).is_file() for name in names):
        raise _broken(folder, names[0], f"It is missing; it says {purpose}. {DOWNLOAD_AGAIN}")


def _broken(folder: Path, name: str, reason: str) -> InferenceError:
    # The folder's own name and not its path: people who chat may read this message too.
    where = f"{folder.name}/{name}"
    return InferenceError(
        ErrorCode.MODEL_UNAVAILABLE, f"The model cannot be loaded: {where}: {reason}"
    )
