"""The product as operators start it: its commands, its data folder, its log."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[2]
ADMINISTRATOR = "carol"
PASSWORD = "correct horse battery"
WITH_ADMINISTRATOR = {
    "DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR,
    "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
}
DEADLINE_S = 60.0
MANAGE = (sys.executable, "manage.py")
# Tests are quicker than people, and all of them call from one address.
UNLIMITED = {
    "VL_ADDRESS_SIGN_UPS_PER_HOUR": "10000",
    "VL_ADDRESS_SIGN_INS_PER_MINUTE": "10000",
    "VL_PERSON_TURNS_PER_MINUTE": "0",
    "VL_ADDRESS_TURNS_PER_MINUTE": "0",
    "VL_PERSON_UPLOADS_PER_MINUTE": "0",
    "VL_ADDRESS_UPLOADS_PER_MINUTE": "0",
    "VL_PERSON_DECODE_S_PER_MINUTE": "0",
    "VL_PERSON_RENDER_S_PER_MINUTE": "0",
    "VL_PERSON_TURNS_PER_DAY": "0",
    "VL_PERSON_FRAMES_PER_S": "100000",
    "VL_ADDRESS_FRAMES_PER_S": "1000000",
    "VL_PERSON_OPEN_REPLIES": "0",
}
PACED = (sys.executable, "-m", "tests.browser.scripted_server")  # `slowly` in a question


@functools.cache
def _prepared() -> Path:
    data = Path(tempfile.mkdtemp(prefix="vl-prepared-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    done = Product(data).run("prepare", "--verbosity", "0")
    assert done.returncode == 0, done.stderr
    return data


def prepare(data: Path) -> Path:
    """Give a folder what is there before anybody serves: an empty database and the static files.

    One that has a database keeps it. Both are made once by each process of the tests, and copied:
    they take six seconds of the processor.
    """
    if not (data / "db.sqlite3").exists():
        shutil.copytree(_prepared(), data, dirs_exist_ok=True)
    return data


def resident_mib(pid: int) -> float:
    """Give what a process has in memory, without its children."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Log:
    """What a process says, line by line; a line can be waited for."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._is_closed = False

    def read(self, process: subprocess.Popen[str]) -> None:
        """Take over the process's output, in the background."""
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def wait_for(self, text: str) -> str:
        """Wait for a line that contains the text; an ended process or the deadline fails."""
        ends_at = monotonic() + DEADLINE_S
        with self._changed:
            while True:
                for line in self._lines:
                    if text in line:
                        return line
                left_s = ends_at - monotonic()
                assert left_s > 0, f"“{text}” was not said in time:\n{self}"
                assert not self._is_closed, f"“{text}” was never said:\n{self}"
                self._changed.wait(left_s)

    def count(self, text: str) -> int:
        """Count the lines that contain the text, from the first one on."""
        with self._changed:
            return sum(text in line for line in self._lines)

    def count_tracebacks(self) -> int:
        """Count the tracebacks so far."""
        return len(self._tracebacks())

    def check_no_traceback(self, *, after: int = 0) -> None:
        """Fail with the tracebacks behind the first few, and the lines around each."""
        found = self._tracebacks()[after:]
        assert not found, "\n".join(found)

    def _tracebacks(self) -> list[str]:
        with self._changed:
            starts = [at for at, line in enumerate(self._lines) if "Traceback" in line]
            return ["".join(self._lines[max(at - 5, 0) : at + 60]) for at in starts]

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __str__(self) -> str:
        """Show the last lines, for a failing test."""
        return "".join(self._lines[-60:])


@dataclass
class Product:
    """One installation: it can be started, ended in several ways, and started again."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    log: Log = field(default_factory=Log)
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        return subprocess.run(
            [*MANAGE, *command],
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def start(self, *, command: tuple[str, ...] = (*MANAGE, "serve"), until: str = "Ready") -> str:
        """Start serving, and wait for the line that says so, if there is one."""
        self.begin(command)
        line = self.log.wait_for(until) if until else ""
        self._wait_until_it_listens()
        return line

    def begin(self, command: tuple[str, ...]) -> None:
        """Start a program, and listen to what it says."""
        self.log = Log()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log.read(self.process)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, and give the exit status."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.exit_status()

    def exit_status(self) -> int:
        """Wait for the process to end by itself; give its exit status."""
        assert self.process is not None
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)

    def change_row(self, statement: str, *values: object) -> None:
        """Change the database from outside, as another instance would."""
        with sqlite3.connect(self.data / "db.sqlite3", timeout=20) as database:
            changed = database.execute(statement, values).rowcount
        database.close()
        assert changed == 1

    def _wait_until_it_listens(self) -> None:
        """Try again and again: the line comes from a thread beside the server's."""
        ends_at = monotonic() + DEADLINE_S
        pause = threading.Event()
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert monotonic() < ends_at, f"nobody listens:\n{self.log}"
            pause.wait(0.05)

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("VL_", "DJANGO_", "HF_", "REDIS_", "DATABASE_"))
        }
        return inherited | {
            **UNLIMITED,
            "VL_DATA_DIR": str(self.data),
            "VL_PORT": str(self.port),
            "VL_BACKEND": "scripted",
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }
