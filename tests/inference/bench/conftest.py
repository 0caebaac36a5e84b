"""Contestants that are processes but know nothing, and a machine of a known speed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from inference.bench.peers.install import Install, PeerMissingError
from inference.bench.probes import Probe
from inference.bench.worker import Launch, Worker

STREAMING_BYTES_S = 20e9
PEAK_OPS_S = 1000e9


def launch_fake(fault: str = "") -> Launch:
    """Return how a fake contestant is started."""
    return Launch([sys.executable, "-m", "tests.inference.bench.fake_contestant", fault])


class SteadyProber:
    """Finds the machine always equally fast."""

    def probe(self) -> Probe:
        return Probe(STREAMING_BYTES_S, PEAK_OPS_S)


class OfflineInstall(Install):
    """An installation on a machine without a network: no step can be run."""

    def run(
        self, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None
    ) -> None:
        raise PeerMissingError("no network")


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[str], Worker]]:
    """Return a function that starts a fake contestant with a fault; all end with the test."""
    workers: list[Worker] = []

    def start(fault: str) -> Worker:
        worker = Worker("fake", launch_fake(fault), log=tmp_path / "fake.log", threads=1)
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.close()
