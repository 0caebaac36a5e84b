"""Cores are counted once, within a container's limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference.backends import processor_cores
from inference.backends.processor_cores import count_physical_cores


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a folder that describes four logical processors on two cores."""
    for cpu, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        (tmp_path / f"cpu{cpu}").write_text(siblings, encoding="ascii")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(processor_cores, "SIBLINGS", str(tmp_path / "cpu{}"))
    monkeypatch.setattr(processor_cores, "CGROUP_LIMIT", tmp_path / "cpu.max")
    return tmp_path


def test_hyper_threads_count_once(machine: Path) -> None:
    assert count_physical_cores() == 2


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", 2), ("100000 100000", 1), ("50000 100000", 1), ("800000 100000", 2)],
)
def test_container_limit_holds(machine: Path, limit: str, cores: int) -> None:
    (machine / "cpu.max").write_text(limit, encoding="ascii")

    assert count_physical_cores() == cores
