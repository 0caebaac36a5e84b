"""One process of a cluster: started, heard, signalled, and started again.

honcho ends everything when one process ends, and supervisor wants a daemon and its own
configuration; what is needed here is less.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT_LINES = 200


class NotReadyError(RuntimeError):
    """A process ended, or took too long, before it said that it is ready."""


@dataclass
class Child:
    """A process, told by a line of its output that it is ready.

    `command` and `environment` are the whole of both. `say` gets each line with the name, from a
    thread. Start it only from a thread that outlives it: the process ends when that thread does.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_line: str
    say: Callable[[str, str], None]
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    starts: int = 0
    _lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _is_ready: bool = False
    _is_silent: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def lines(self) -> list[str]:
        """The last lines it wrote, over all its starts."""
        with self._changed:
            return list(self._lines)

    def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C reaches whoever started it, and no other."""
        self.started_at = time.monotonic()
        self.starts += 1
        process = subprocess.Popen(  # noqa: S603 - the commands are this package's own
            [*_follow_parent(self.user), *self.command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with self._changed:  # at once, or the end of its predecessor's output is taken for its own
            self.process = process
            self._is_ready = self._is_silent = False
        threading.Thread(
            target=self._read, args=(process,), name=f"log-{self.name}", daemon=True
        ).start()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until it has said that it is ready.

        Raises:
            NotReadyError: it ended, or the time is up; with its last lines.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_ready or self._is_silent, timeout_s)
            if not self._is_ready:
                said = "\n".join(list(self._lines)[-20:])
                raise NotReadyError(f"{self.name} is not ready. It said last:\n{said}")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still runs."""
        if self.process is not None:
            self.process.send_signal(number)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; returns whether it came in time."""
        if self.process is None:
            return True
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout_s: float) -> bool:
        """End it gracefully, by force when it takes too long; returns whether force was needed."""
        self.send_signal(self.stop_signal)
        if self.wait(timeout_s):
            return False
        self.kill()
        return True

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        self.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        with process.stdout:
            for line in process.stdout:
                self._hear(line.rstrip("\n"))
        with self._changed:
            if process is self.process:  # else its successor has begun to speak already
                self._is_silent = True
                self._changed.notify_all()

    def _hear(self, line: str) -> None:
        self.say(self.name, line)
        with self._changed:
            self._lines.append(line)
            if self.ready_line in line:
                self._is_ready = True
                self._changed.notify_all()


def _follow_parent(user: str | None) -> tuple[str, ...]:
    """Give the prefix that ends a process with its parent, as another user where one is named."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:  # not Linux: a killed parent leaves its processes behind
        return ()
    as_user = () if user is None else ("--reuid", user, "--regid", user, "--init-groups")
    return (setpriv, *as_user, "--pdeathsig", "TERM", "--")
