"""Every set of native kernels that can be used here, in turn."""

from __future__ import annotations

import pytest

from inference.engine.kernels import PORTABLE, available_kernels
from inference.engine.kernels.native import NativeKernels

NATIVE: list[str | None] = [name for name in available_kernels() if name != PORTABLE]


@pytest.fixture(params=NATIVE or [None])
def native(request: pytest.FixtureRequest) -> NativeKernels:
    """Return each set of native kernels, or skip where there is none."""
    if request.param is None:
        pytest.skip("no native kernels were built for this processor")
    return NativeKernels(request.param, threads=2)
