"""What a confined process cannot do any more, tried in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings

# Each line is tried after `confine`; what it raises is printed.
ATTEMPT = """
import ctypes, os, socket, signal, threading, resource
from chat.decoding import confinement, syscall_filter
server = os.getppid()
def io_uring_setup():
    if ctypes.CDLL(None, use_errno=True).syscall(425, 1, bytes(120)) < 0:
        raise OSError(ctypes.get_errno(), "")
{before}
confinement.confine(memory_bytes=2**28, cpu_s=1)
try:
    {attempt}
except (OSError, ValueError, MemoryError) as error:
    print(type(error).__name__)
else:
    print("done")
"""

# Older kernels have no Landlock, other processors no filter: each is tried without the other, too.
WITHOUT = {
    "both": "",
    "the filter alone": "confinement._deny_by_landlock = lambda: None",
    "without the filter": "syscall_filter.program = lambda: None",
}
FILES_AND_SIGNALS = {
    "reading a file": "open('FOLDER/file')",
    "reading by a freed descriptor": "os.close(2); open('FOLDER/file')",
    "writing a file": "open('FOLDER/new', 'w')",
    "removing a file": "os.unlink('FOLDER/file')",
    "renaming a file": "os.rename('FOLDER/file', 'FOLDER/new')",
    "making a folder": "os.mkdir('FOLDER/new')",
    "ending the server": "os.kill(server, 0)",
}
DENIED = {
    "reading a file": ("open('/etc/passwd')", "PermissionError"),
    "writing a file": ("open('/tmp/confined', 'w')", "PermissionError"),
    "listing a folder": ("os.listdir('/')", "PermissionError"),
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
    "changing the server's limits": (
        "resource.prlimit(server, resource.RLIMIT_CPU)",
        "PermissionError",
    ),
    # It gives a descriptor, so one must be free.
    "the kernel's other door": ("os.close(2); io_uring_setup()", "PermissionError"),
    "tracing the server": (
        "if ctypes.CDLL(None).ptrace(16, server, 0, 0): raise PermissionError",
        "PermissionError",
    ),
}


def tried(attempt: str, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ATTEMPT.format(attempt=attempt, before=before)],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("attempt", "refusal"), DENIED.values(), ids=DENIED)
def test_a_confined_process_is_denied(attempt: str, refusal: str) -> None:
    assert tried(attempt).stdout.strip() == refusal


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder where anybody may do anything, with a file in it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "file").touch()
        yield folder


@pytest.mark.parametrize("before", WITHOUT.values(), ids=WITHOUT)
@pytest.mark.parametrize("attempt", FILES_AND_SIGNALS.values(), ids=FILES_AND_SIGNALS)
def test_files_and_signals_are_denied_twice(open_folder: Path, attempt: str, before: str) -> None:
    outcome = tried(attempt.replace("FOLDER", str(open_folder)), before).stdout.strip()

    assert outcome in ("PermissionError", "OSError")
    assert [path.name for path in open_folder.iterdir()] == ["file"]


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
