"""Tensors are found by name in one file or many, and what is wrong is named with its file."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inference.engine.checkpoint import Checkpoint, Source
from inference.engine.shape import UnsupportedModelError
from inference.errors import ErrorCode, InferenceError
from inference.model_folder import INDEX_FILE, WEIGHTS_FILE
from tests.inference.engine.safetensors_files import (
    write_file,
    write_index,
    write_one,
    write_raw,
    write_shards,
)

TENSORS = {
    "brain": torch.arange(32).reshape(4, 8).bfloat16(),
    "half": (torch.arange(6) / 7).half(),
    "single": torch.arange(3) / 7,
}
MIB = 1 << 20

Write = Callable[[Path, dict[str, Tensor]], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with all tensors in one file."""
    return write_one(tmp_path / "model", TENSORS)


@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize("write", [write_one, write_shards], ids=["one-file", "shards"])
def test_tensor_is_read_in_its_own_format(tmp_path: Path, write: Write, name: str) -> None:
    checkpoint = Checkpoint(write(tmp_path / "model", TENSORS))

    tensor = checkpoint.read(name)

    assert tensor.dtype is TENSORS[name].dtype
    assert torch.equal(tensor, TENSORS[name])


@pytest.mark.parametrize("padding", range(4))
def test_head_of_any_length_is_read(tmp_path: Path, padding: int) -> None:
    values = torch.tensor([1.5, -2.25])
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    folder = write_raw(tmp_path / "model", {"a": entry}, values.numpy().tobytes(), padding)

    tensor = Checkpoint(folder).read("a")

    assert torch.equal(tensor, values)
    assert tensor.data_ptr() % 4 == 0


def test_tensor_stays_valid_after_release(folder: Path) -> None:
    checkpoint = Checkpoint(folder)
    tensor = checkpoint.read("brain")

    checkpoint.release()

    assert torch.equal(tensor, TENSORS["brain"])


def test_tensor_outlives_its_checkpoint(folder: Path) -> None:
    tensor = Checkpoint(folder).read("single")

    assert torch.equal(tensor, TENSORS["single"])


def test_release_gives_memory_back(tmp_path: Path) -> None:
    large = torch.ones(64 * MIB, dtype=torch.bfloat16).reshape(64, -1)
    checkpoint = Checkpoint(write_one(tmp_path / "model", {"large": large}))
    assert checkpoint.read("large").sum(dtype=torch.float32) == 64 * MIB
    held = _mapped_bytes()

    checkpoint.release()

    assert held - _mapped_bytes() > 100 * MIB


def _mapped_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"RssFile:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def _truncate(folder: Path) -> None:
    path = folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-4])


def _spoil_head(folder: Path) -> None:
    path = folder / WEIGHTS_FILE
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def _claim_other_bytes(folder: Path) -> None:
    write_raw(folder, {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4))


def _forget_the_shape(folder: Path) -> None:
    write_raw(folder, {"a": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4))


def _remove(folder: Path) -> None:
    (folder / WEIGHTS_FILE).unlink()


def _name_a_missing_file(folder: Path) -> None:
    write_index(folder, {"brain": WEIGHTS_FILE, "other": "model-2.safetensors"})


def _spoil_index(folder: Path) -> None:
    (folder / INDEX_FILE).write_text("[]", encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "named", "reason"),
    [
        (_truncate, WEIGHTS_FILE, "bytes instead of"),
        (_spoil_head, WEIGHTS_FILE, "its head cannot be read"),
        (_claim_other_bytes, WEIGHTS_FILE, "its head cannot be read"),
        (_forget_the_shape, WEIGHTS_FILE, "its head cannot be read"),
        (_remove, WEIGHTS_FILE, "It is missing"),
        (_name_a_missing_file, "model-2.safetensors", "It is missing"),
        (_spoil_index, INDEX_FILE, "It cannot be read"),
    ],
    ids=[
        "truncated",
        "head-damaged",
        "bytes-and-shape-differ",
        "head-without-shape",
        "no-file",
        "missing-shard",
        "index-damaged",
    ],
)
def test_broken_file_is_named_with_the_reason(
    folder: Path, spoil: Callable[[Path], None], named: str, reason: str
) -> None:
    spoil(folder)

    with pytest.raises(InferenceError) as caught:
        Checkpoint(folder)

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE
    assert f"model/{named}: " in caught.value.message
    assert reason in caught.value.message
    assert str(folder) not in caught.value.message


def test_tensor_that_the_only_file_lacks_is_named(folder: Path) -> None:
    with pytest.raises(InferenceError, match=rf"model/{WEIGHTS_FILE}: It lacks the tensor gone\."):
        Checkpoint(folder).check([Source("gone", (1,))])


def test_tensor_that_no_file_has_is_missed_in_the_index(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "model", TENSORS)

    with pytest.raises(InferenceError, match=rf"model/{INDEX_FILE}: It lacks the tensor gone\."):
        Checkpoint(folder).check([Source("gone", (1,))])


def test_tensor_that_its_shard_lacks_is_named_with_the_shard(folder: Path) -> None:
    write_index(folder, {"brain": WEIGHTS_FILE, "gone": WEIGHTS_FILE})

    with pytest.raises(InferenceError, match=f"model/{WEIGHTS_FILE}: .*gone, which {INDEX_FILE}"):
        Checkpoint(folder).check([Source("gone", (1,))])


def test_other_shape_is_named_with_what_was_expected(folder: Path) -> None:
    with pytest.raises(InferenceError, match=r"brain has the shape \[4, 8\], but .* \[8, 4\]"):
        Checkpoint(folder).check([Source("brain", (8, 4))])


def test_format_of_eight_bits_is_not_supported(tmp_path: Path) -> None:
    entry = {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}
    checkpoint = Checkpoint(write_raw(tmp_path / "model", {"a": entry}, bytes(2)))

    with pytest.raises(UnsupportedModelError, match="a is stored as F8_E4M3"):
        checkpoint.check([Source("a", (2,))])


def test_whole_checkpoint_passes(folder: Path) -> None:
    Checkpoint(folder).check(Source(name, tuple(t.shape)) for name, t in TENSORS.items())


def test_copy_elsewhere_has_the_same_fingerprint(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    os.utime(copy / WEIGHTS_FILE, (1, 1))

    assert Checkpoint(copy).fingerprint() == Checkpoint(folder).fingerprint()


@pytest.mark.parametrize("name", TENSORS)
def test_another_value_changes_the_fingerprint(folder: Path, name: str) -> None:
    before = Checkpoint(folder).fingerprint()
    changed = TENSORS[name].clone()
    changed.view(-1)[-1] += 1

    write_file(folder / WEIGHTS_FILE, TENSORS | {name: changed})

    assert Checkpoint(folder).fingerprint() != before


def test_another_name_changes_the_fingerprint(folder: Path) -> None:
    before = Checkpoint(folder).fingerprint()

    write_file(folder / WEIGHTS_FILE, {f"{name}s": tensor for name, tensor in TENSORS.items()})

    assert Checkpoint(folder).fingerprint() != before
