"""Every set of kernels that can be used here, in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from inference.engine.kernels import PORTABLE, available_kernels, choose_kernels
from inference.engine.kernels.base import Kernels
from inference.engine.kernels.native import NativeKernels

NATIVE: list[str | None] = [name for name in available_kernels() if name != PORTABLE]


@pytest.fixture(autouse=True)
def one_thread_of_torch() -> Iterator[None]:
    """Keep torch's threads, which wait busily, out of the way of those under test."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=available_kernels())
def kernels(request: pytest.FixtureRequest) -> Kernels:
    """Return each set of kernels."""
    return choose_kernels(request.param, threads=2)


@pytest.fixture(params=NATIVE or [None])
def native(request: pytest.FixtureRequest) -> NativeKernels:
    """Return each set of native kernels, or skip where there is none."""
    if request.param is None:
        pytest.skip("no native kernels were built for this processor")
    return NativeKernels(request.param, threads=2)
