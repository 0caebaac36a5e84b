"""Chooses the kernels for this machine; `base` says what all of them do."""

from __future__ import annotations

import logging
from typing import Final

import torch

from inference.engine.kernels.base import Kernels
from inference.engine.kernels.native import NativeKernels
from inference.engine.kernels.native_library import LibraryUnusableError
from inference.engine.kernels.portable import PortableKernels

logger = logging.getLogger(__name__)

PORTABLE: Final = "portable"
# The best first, each with the capabilities, in torch's words, of processors that may have it; the
# library itself then says whether this one has.
NATIVE_SETS: Final = {"avx512": ("AVX512",), "avx2": ("AVX2", "AVX512")}


def choose_kernels(name: str | None = None, *, threads: int | None = None) -> Kernels:
    """Return the best kernels that this processor supports and that were built, or those of a name.

    `threads` is how many threads native kernels use, by default as many as torch; the portable
    ones always use torch's. Logs the choice and its reason.

    Raises:
        ValueError: the named kernels do not exist or cannot be used here; says why.
    """
    if name is not None:
        return _named(name, threads)
    reasons = []
    for candidate in NATIVE_SETS:
        try:
            kernels = _native(candidate, threads)
        except LibraryUnusableError as error:
            reasons.append(str(error))
        else:
            amx = ", with AMX for many rows" if kernels.uses_amx else ""
            logger.info("Using the %s kernels%s: the processor supports them.", candidate, amx)
            return kernels
    logger.warning("Using the portable kernels, which are slower: %s.", "; ".join(reasons))
    return PortableKernels()


def available_kernels() -> tuple[str, ...]:
    """Return the names that `choose_kernels` accepts here, the best first."""
    return (*(name for name in NATIVE_SETS if _is_usable(name)), PORTABLE)


def _named(name: str, threads: int | None) -> Kernels:
    if name == PORTABLE:
        return PortableKernels()
    if name not in NATIVE_SETS:
        names = ", ".join([*NATIVE_SETS, PORTABLE])
        raise ValueError(f"expected the name of kernels ({names}), got {name!r}")
    try:
        return _native(name, threads)
    except LibraryUnusableError as error:
        raise ValueError(str(error)) from error


def _native(name: str, threads: int | None) -> NativeKernels:
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in NATIVE_SETS[name]:
        raise LibraryUnusableError(f"the processor ({capability}) does not support {name}")
    return NativeKernels(name, threads=threads)


def _is_usable(name: str) -> bool:
    try:
        _native(name, None)
    except LibraryUnusableError:
        return False
    return True
