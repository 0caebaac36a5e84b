"""How fast the machine is right now: reading memory, and multiplying bytes in registers.

The two cores of a shared machine are sometimes one, and its memory's speed moves by half within
minutes: so a probe stands before and after every measurement.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Protocol

PROBED_BYTES = 512 * 2**20
"""Far beyond any cache."""
REPETITIONS = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """Bytes read and int8 operations done in a second by all threads."""

    streaming_bytes_s: float
    peak_ops_s: float

    def between(self, other: Probe) -> Probe:
        """Return the mean of a probe before and one after."""
        return Probe(
            (self.streaming_bytes_s + other.streaming_bytes_s) / 2,
            (self.peak_ops_s + other.peak_ops_s) / 2,
        )

    def __str__(self) -> str:
        """Return both in words."""
        return f"{self.streaming_bytes_s / 1e9:.1f} GB/s, {self.peak_ops_s / 1e9:.0f} GOP/s"


class Prober(Protocol):
    """Whatever can say how fast the machine is now."""

    def probe(self) -> Probe:
        """Return the machine's speed of this moment."""


class KernelProber:
    """Probes with the engine's own kernels, in this process; keeps 512 MiB."""

    def __init__(self, threads: int) -> None:
        """Take the memory and write to it once.

        Raises:
            ValueError: there are no native kernels here, so there is no probe.
        """
        import torch  # seconds: only when probing begins

        from inference.engine.kernels import choose_kernels
        from inference.engine.kernels.native import NativeKernels

        kernels = choose_kernels(threads=threads)
        if not isinstance(kernels, NativeKernels):
            raise ValueError("the kernels were not built here, so the machine cannot be probed")
        self.kernels = kernels
        self._memory = torch.ones(PROBED_BYTES, dtype=torch.uint8)

    def probe(self) -> Probe:
        """Return the medians of three; takes about a fifth of a second."""
        kernels, memory = self.kernels, self._memory
        streaming = [kernels.measure_streaming(memory) for _ in range(REPETITIONS)]
        peak = [kernels.measure_peak() for _ in range(REPETITIONS)]
        return Probe(statistics.median(streaming), statistics.median(peak))
