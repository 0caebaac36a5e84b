"""Build the engine's C++ kernels, one shared object for each instruction set.

All of them are optional: without a compiler, or on another processor, the installation succeeds and
the engine runs on stock torch operators. Nothing is tuned for the machine that builds.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from setuptools import Extension, setup  # type: ignore[import-untyped]  # ships no types

KERNELS = Path("inference/engine/kernels")
AVX2 = ["-mavx2", "-mfma", "-mf16c"]
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni"]
# Used only where the processor has it, see amx.h; gcc 11 and clang 12 are the first to know it.
AMX = ["-mamx-tile", "-mamx-int8", "-mamx-bf16", "-mavx512bf16"]
INSTRUCTION_SETS = {
    "avx2": AVX2,
    # gcc 12 warns of its own intrinsics, which begin with an undefined vector on purpose.
    "avx512": [
        *AVX2,
        *AVX512,
        *AMX,
        "-mprefer-vector-width=512",
        "-Wno-uninitialized",
        "-Wno-maybe-uninitialized",
    ],
}
FLAGS = ["-std=c++17", "-O3", "-g0", "-fno-math-errno", "-fvisibility=hidden", "-Wall", "-Wextra"]


def kernels(name: str, flags: list[str]) -> Extension:
    """Return the extension of one instruction set; ctypes loads it, nothing imports it."""
    folder = KERNELS / "src"
    return Extension(
        f"inference.engine.kernels._{name}",
        sources=sorted(str(path) for path in folder.glob("*.cpp")),
        depends=sorted(str(path) for path in folder.glob("*.h")),
        extra_compile_args=[*FLAGS, *flags],
        extra_link_args=["-pthread"],
        language="c++",
        optional=True,
    )


def is_supported() -> bool:
    """Say whether any of the instruction sets can exist here: Linux on x86-64."""
    return sys.platform == "linux" and platform.machine() in {"x86_64", "AMD64"}


setup(
    ext_modules=[kernels(*item) for item in INSTRUCTION_SETS.items()] if is_supported() else [],
)
