"""Packing happens once a cache, falls back to memory, and needs little beside the packed model."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inference.config import Quantization
from inference.engine.checkpoint import Checkpoint, Source
from inference.engine.kernels import PORTABLE, available_kernels
from inference.engine.kernels.base import PackedMatrix
from inference.engine.kernels.portable import PortableKernels
from inference.engine.packed_cache import PackedCache
from inference.engine.packing import PackedParts, Packing, ReportProgress
from inference.engine.shape import read_shape
from inference.engine.weight_plan import Part, plan_weights
from tests.inference.engine.safetensors_files import write_one, write_shards
from tests.inference.engine.twins import END, IMAGE, START, TIED, VIDEO

LARGE_TEXT = {
    "hidden_size": 1024,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "intermediate_size": 4096,
    "vocab_size": 32_768,
}
LARGE_VISION = {
    "depth": 1,
    "hidden_size": 256,
    "out_hidden_size": 1024,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}

TENSORS = {
    "up": torch.linspace(-1, 1, 320).reshape(10, 32).bfloat16(),
    "down": torch.linspace(-2, 2, 640).reshape(20, 32).bfloat16(),
    "filter": torch.linspace(-1, 1, 128).reshape(2, 4, 4, 4),
    "half": torch.linspace(-1e-6, 1e-6, 64).reshape(2, 32).half(),
    "norm": torch.linspace(0, 1, 7).bfloat16(),
}


def part(name: str, *sources: str, quantization: Quantization | None = Quantization.FP32) -> Part:
    found = tuple(Source(source, tuple(TENSORS[source].shape)) for source in sources)
    return Part(name, found, quantization)


PARTS = (
    part("joined", "up", "down", quantization=Quantization.INT8),
    part("conv", "filter"),
    part("fine", "half"),
    part("norm", "norm", quantization=None),
)


class CountingKernels(PortableKernels):
    """Portable kernels that remember what they packed."""

    def __init__(self) -> None:
        self.packed: list[tuple[int, ...]] = []

    def pack(
        self,
        weight: Tensor,
        quantization: Quantization,
        out: Tensor | None = None,
        *,
        has_uneven_inputs: bool = False,
    ) -> PackedMatrix:
        self.packed.append(tuple(weight.shape))
        return super().pack(weight, quantization, out, has_uneven_inputs=has_uneven_inputs)


class Stopped(Exception):
    """Somebody wants the loading to end."""


@pytest.fixture
def kernels() -> CountingKernels:
    """Return kernels that count."""
    return CountingKernels()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    """Return a checkpoint with one tensor of each kind."""
    return Checkpoint(write_one(tmp_path / "model", TENSORS))


@pytest.fixture
def cache(tmp_path: Path) -> PackedCache:
    """Return an empty cache."""
    return PackedCache(tmp_path / "cache")


def ignore(done: int, total: int) -> None:
    """Do nothing with progress."""


def packing(
    checkpoint: Checkpoint, kernels: PortableKernels, report: ReportProgress = ignore
) -> Packing:
    return Packing(checkpoint, PARTS, kernels, report=report)


def read(parts: PackedParts, name: str) -> Tensor:
    matrix = parts.matrix(name)
    return PortableKernels().unpack_rows(matrix, torch.arange(matrix.outputs))


def test_sources_are_joined_below_one_another(
    checkpoint: Checkpoint, kernels: CountingKernels
) -> None:
    parts = packing(checkpoint, kernels).pack_in_memory()

    expected = torch.cat([TENSORS["up"], TENSORS["down"]]).float()
    assert torch.allclose(read(parts, "joined"), expected, atol=2 / 127)


def test_convolution_is_flattened(checkpoint: Checkpoint, kernels: CountingKernels) -> None:
    parts = packing(checkpoint, kernels).pack_in_memory()

    assert torch.equal(read(parts, "conv"), TENSORS["filter"].flatten(1))


def test_half_floats_are_not_rounded_to_brain_floats(
    checkpoint: Checkpoint, kernels: CountingKernels
) -> None:
    parts = packing(checkpoint, kernels).pack_in_memory()

    assert torch.equal(read(parts, "fine"), TENSORS["half"].float())


def test_norm_is_widened_to_float32(checkpoint: Checkpoint, kernels: CountingKernels) -> None:
    parts = packing(checkpoint, kernels).pack_in_memory()

    assert torch.equal(parts.tensor("norm"), TENSORS["norm"].float())


def test_norm_is_no_matrix(checkpoint: Checkpoint, kernels: CountingKernels) -> None:
    parts = packing(checkpoint, kernels).pack_in_memory()

    with pytest.raises(ValueError, match="norm is not packed"):
        parts.matrix("norm")


def test_second_start_packs_nothing(
    checkpoint: Checkpoint, kernels: CountingKernels, cache: PackedCache
) -> None:
    first = packing(checkpoint, kernels).take_from_cache(cache)
    kernels.packed.clear()

    second = packing(checkpoint, kernels).take_from_cache(cache)

    assert kernels.packed == []
    assert torch.equal(read(second, "joined"), read(first, "joined"))
    assert torch.equal(second.tensor("norm"), first.tensor("norm"))


def test_changed_checkpoint_is_packed_again(
    tmp_path: Path, checkpoint: Checkpoint, kernels: CountingKernels, cache: PackedCache
) -> None:
    packing(checkpoint, kernels).take_from_cache(cache)
    changed = Checkpoint(write_one(tmp_path / "other", TENSORS | {"norm": -TENSORS["norm"]}))

    parts = packing(changed, kernels).take_from_cache(cache)

    assert torch.equal(parts.tensor("norm"), -TENSORS["norm"].float())


def test_spoilt_cache_file_is_packed_again(
    checkpoint: Checkpoint, kernels: CountingKernels, cache: PackedCache
) -> None:
    packing(checkpoint, kernels).take_from_cache(cache)
    (path,) = cache.directory.iterdir()
    path.write_bytes(path.read_bytes()[:-1])

    parts = packing(checkpoint, kernels).take_from_cache(cache)

    assert torch.equal(parts.tensor("norm"), TENSORS["norm"].float())
    assert cache.find(packing(checkpoint, kernels).index) is not None


def test_full_disk_means_packing_in_memory_with_a_warning(
    checkpoint: Checkpoint,
    kernels: CountingKernels,
    cache: PackedCache,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)

    parts = packing(checkpoint, kernels).take_from_cache(cache)

    assert torch.equal(parts.tensor("norm"), TENSORS["norm"].float())
    assert "No space left on device" in caplog.text
    assert list(cache.directory.iterdir()) == []


def test_place_that_is_no_directory_means_packing_in_memory(
    checkpoint: Checkpoint, kernels: CountingKernels, cache: PackedCache
) -> None:
    cache.directory.write_text("a file", encoding="utf-8")

    parts = packing(checkpoint, kernels).take_from_cache(cache)

    assert torch.equal(parts.tensor("norm"), TENSORS["norm"].float())


def test_progress_is_told_part_by_part_in_bytes(
    checkpoint: Checkpoint, kernels: CountingKernels
) -> None:
    told: list[tuple[int, int]] = []

    parts = packing(checkpoint, kernels, lambda *step: told.append(step)).pack_in_memory()

    assert len(told) == len(PARTS)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (parts.bytes, parts.bytes)


def test_mapping_alone_is_told_as_done(
    checkpoint: Checkpoint, kernels: CountingKernels, cache: PackedCache
) -> None:
    parts = packing(checkpoint, kernels).take_from_cache(cache)
    told: list[tuple[int, int]] = []

    packing(checkpoint, kernels, lambda *step: told.append(step)).take_from_cache(cache)

    assert told == [(parts.bytes, parts.bytes)]


def test_packing_that_is_broken_off_leaves_no_file(
    checkpoint: Checkpoint, kernels: CountingKernels, cache: PackedCache
) -> None:
    def stop(done: int, total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        packing(checkpoint, kernels, stop).take_from_cache(cache)

    assert list(cache.directory.iterdir()) == []


def test_fewer_files_than_packed_are_kept(
    tmp_path: Path, checkpoint: Checkpoint, kernels: CountingKernels, cache: PackedCache
) -> None:
    cache = replace(cache, kept=1)
    packing(checkpoint, kernels).take_from_cache(cache)
    changed = Checkpoint(write_one(tmp_path / "other", TENSORS | {"norm": -TENSORS["norm"]}))

    packing(changed, kernels).take_from_cache(cache)

    assert [path.name for path in cache.directory.iterdir()] == [
        cache.path(packing(changed, kernels).index).name
    ]


MEASURE_PEAK = """
import re, sys
from pathlib import Path
import torch
from inference.config import Quantization
from inference.engine.kernels import choose_kernels
from inference.engine.shape import read_shape
from inference.engine.weights import load_weights

def memory(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(name + r":\\s+(\\d+) kB", status)[1]) * 1024

torch.set_num_threads(1)
folder, kernels = Path(sys.argv[1]), choose_kernels(sys.argv[2])
shape = read_shape(folder)
kernels.pack(torch.ones(64, 64), Quantization.INT8)  # what the first call alone costs
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before, packed = memory("VmRSS"), []
cache = Path(sys.argv[3]) if len(sys.argv) > 3 else None
load_weights(
    folder, shape, kernels, Quantization.INT8, lambda done, total: packed.append(total), cache
)
print((memory("VmHWM") - before) / packed[-1])
"""


@pytest.fixture(scope="module")
def large_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of 130 million weights, a quarter of them in the embedding."""
    folder = tmp_path_factory.mktemp("large")
    config = {
        "model_type": "qwen3_vl",
        "image_token_id": IMAGE,
        "video_token_id": VIDEO,
        "vision_start_token_id": START,
        "vision_end_token_id": END,
        "tie_word_embeddings": True,
        "text_config": TIED["text"] | LARGE_TEXT,
        "vision_config": TIED["vision"] | LARGE_VISION,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    values = torch.linspace(-0.05, 0.05, 1009).bfloat16()
    sources = [
        source
        for large in plan_weights(read_shape(folder), Quantization.INT8)
        for source in large.sources
    ]
    return write_shards(folder, {source.name: fill(source, values) for source in sources})


def fill(source: Source, values: Tensor) -> Tensor:
    count = prod(source.shape)
    return values.repeat(-(-count // len(values)))[:count].reshape(source.shape)


@pytest.mark.slow
@pytest.mark.parametrize("has_cache", [False, True], ids=["in-memory", "into-the-cache"])
def test_loading_needs_little_beside_the_packed_model(
    large_folder: Path, tmp_path: Path, has_cache: bool
) -> None:
    best = available_kernels()[0]
    if best == PORTABLE:
        pytest.skip("the portable kernels take 70 MB to pack, however small the model")
    command = [sys.executable, "-c", MEASURE_PEAK, str(large_folder), best]
    if has_cache:
        command.append(str(tmp_path / "cache"))

    measured = subprocess.run(command, check=True, capture_output=True, text=True)

    assert 0.9 < float(measured.stdout) < 1.3
