"""A process of a cluster is heard: that it is ready, that it ended, and not its predecessor."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vlsite.cluster import child as child_module
from vlsite.cluster.child import Child, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_S = 30.0
# The grandchild holds the output open when its parent is gone.
WITH_GRANDCHILD = "sleep 600 & echo grandchild $!; echo ready; wait"


def make_child(script: str) -> Child:
    return Child(
        name="shell",
        command=("sh", "-c", script),
        environment=dict(os.environ),
        ready_line="ready",
        say=lambda _name, _line: None,
    )


@pytest.fixture
def child() -> Iterator[Child]:
    child = make_child(WITH_GRANDCHILD)
    child.start()
    child.wait_ready(READY_S)
    yield child
    child.kill()
    end_grandchild(child)


def end_grandchild(child: Child) -> None:
    pid = next(line for line in reversed(child.lines) if line.startswith("grandchild"))
    os.kill(int(pid.split()[1]), signal.SIGKILL)


def test_a_process_that_ended_before_it_was_ready_is_said_with_its_last_lines() -> None:
    child = make_child("echo no such port")

    child.start()

    with pytest.raises(NotReadyError, match="no such port"):
        child.wait_ready(READY_S)
    child.kill()


def test_the_late_end_of_a_predecessors_output_is_not_its_own(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was, when it came while the new process was being started: "not ready", at once."""
    (reader,) = (each for each in threading.enumerate() if each.name == "log-shell")

    def start_late(*args: Any, **options: Any) -> subprocess.Popen[str]:
        started: subprocess.Popen[str] = popen(*args, **options)
        end_grandchild(child)
        reader.join(READY_S)
        return started

    popen = subprocess.Popen
    monkeypatch.setattr(child_module.subprocess, "Popen", start_late)
    child.kill()

    child.start()

    child.wait_ready(READY_S)
    assert not reader.is_alive()
