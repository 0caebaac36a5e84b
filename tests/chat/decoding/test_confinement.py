"""What a confined process cannot do any more, tried in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.conf import settings

# Each line is tried after `confine`; what it raises is printed.
ATTEMPT = """
import ctypes, os, socket, signal, threading, resource
from chat.decoding import confinement
server = os.getppid()
confinement.confine(memory_bytes=2**28, cpu_s=1)
try:
    {attempt}
except (OSError, ValueError, MemoryError) as error:
    print(type(error).__name__)
else:
    print("done")
"""

DENIED = {
    "reading a file": ("open('/etc/passwd')", "OSError"),
    "writing a file": ("open('/tmp/confined', 'w')", "OSError"),
    "listing a folder": ("os.listdir('/')", "OSError"),
    "removing a file": ("os.unlink('/etc/passwd')", "PermissionError"),
    "a TCP socket": ("socket.socket()", "PermissionError"),
    "a Unix socket": ("socket.socketpair()", "PermissionError"),
    "another process": ("os.fork()", "PermissionError"),
    "another program": ("os.execv('/bin/true', ['true'])", "PermissionError"),
    "more memory": ("bytearray(2**28)", "MemoryError"),
    "raising its limits": (
        "resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))",
        "ValueError",
    ),
    "ending the server": ("os.kill(server, 0)", "PermissionError"),
    "tracing the server": (
        "if ctypes.CDLL(None).ptrace(16, server, 0, 0): raise PermissionError",
        "PermissionError",
    ),
}


def tried(attempt: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ATTEMPT.format(attempt=attempt)],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("attempt", "refusal"), DENIED.values(), ids=DENIED)
def test_a_confined_process_is_denied(attempt: str, refusal: str) -> None:
    assert tried(attempt).stdout.strip() == refusal


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param("bytearray(2**20)", id="some-memory"),
        pytest.param("t = threading.Thread(); t.start(); t.join()", id="a-thread"),
        pytest.param("os.write(2, b'')", id="its-outputs"),
    ],
)
def test_a_confined_process_may(attempt: str) -> None:
    assert tried(attempt).stdout.strip() == "done"


def test_a_process_that_computes_too_long_is_ended_by_the_kernel() -> None:
    assert tried("while True: pass").returncode == -9
