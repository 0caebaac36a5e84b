"""Tiny checkpoints of random parameters, and the demo model, in transformers and the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.config import Quantization
from inference.demo import WEIGHTS_DIR
from inference.engine.kernels import available_kernels, choose_kernels
from inference.engine.kernels.base import Kernels
from inference.engine.kernels.portable import PortableKernels
from inference.engine.shape import ModelShape, read_shape
from tests.inference.engine.twins import (
    TIED,
    UNTIED,
    Engine,
    Prompts,
    load_engine,
    load_reference,
    write_reference,
)


@dataclass(frozen=True, slots=True)
class Twins:
    """A model's folder, its shape, and transformers' side of it."""

    folder: Path
    shape: ModelShape
    reference: Any

    def engine(
        self, quantization: Quantization = Quantization.FP32, kernels: Kernels | None = None
    ) -> Engine:
        """Return a fresh engine with an empty cache, on the portable kernels unless others come."""
        return load_engine(self.folder, kernels or PortableKernels(), quantization)

    def prompts(self) -> Prompts:
        return Prompts(self.shape)


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Let torch compute in one thread: tiny products only wait for a second one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=available_kernels())
def kernels(request: pytest.FixtureRequest) -> Kernels:
    """Return each set of kernels that can be used here."""
    return choose_kernels(request.param, threads=2)


@pytest.fixture(scope="session")
def tied_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint whose output layer is its embedding."""
    return write_reference(tmp_path_factory.mktemp("twins") / "tied", TIED, seed=1)


@pytest.fixture(scope="session")
def untied_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint with an output layer of its own, and other widths and depths."""
    return write_reference(tmp_path_factory.mktemp("twins") / "untied", UNTIED, seed=2)


@pytest.fixture(scope="session")
def make_twins(tied_folder: Path, untied_folder: Path) -> Callable[[str], Twins]:
    """Load each kind of model once."""
    folders = {"tied": tied_folder, "untied": untied_folder, "demo": WEIGHTS_DIR}
    made: dict[str, Twins] = {}

    def make(name: str) -> Twins:
        if name not in made:
            folder = folders[name]
            made[name] = Twins(folder, read_shape(folder), load_reference(folder))
        return made[name]

    return make


@pytest.fixture(params=["tied", "untied", "demo"])
def twins(request: pytest.FixtureRequest, make_twins: Callable[[str], Twins]) -> Twins:
    """Return each model in turn."""
    return make_twins(request.param)


@pytest.fixture
def tied(make_twins: Callable[[str], Twins]) -> Twins:
    """Return the small model whose output layer is its embedding."""
    return make_twins("tied")
