"""How llama.cpp is built for the comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from inference.bench.peers import llama_install
from inference.bench.peers.install import Install, PeerMissingError
from inference.demo import WEIGHTS_DIR


class UntilEnvironment(Install):
    """Keeps the steps of an installation, which cannot make a virtual environment."""

    steps: list[list[str]] = []  # noqa: RUF012  # the base has slots; emptied by the fixture

    def run(
        self, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.steps.append([str(word) for word in command])
        if "venv" in command:
            raise PeerMissingError("no environments here")


@pytest.fixture
def install(tmp_path: Path) -> UntilEnvironment:
    source = tmp_path / f"llama.cpp-{llama_install.VERSION}"
    source.mkdir()
    (source / "convert_hf_to_gguf.py").touch()
    UntilEnvironment.steps.clear()
    return UntilEnvironment(tmp_path, lambda _: None)


def test_no_more_compilers_than_threads_run_at_a_time(install: UntilEnvironment) -> None:
    with pytest.raises(PeerMissingError, match="no environments"):
        llama_install.prepare(install, model=WEIGHTS_DIR, threads=3, people=8, quantization="Q8_0")

    [build] = [step for step in install.steps if "--build" in step]
    assert build[build.index("--parallel") + 1] == "3"
