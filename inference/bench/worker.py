"""A contestant as the benchmark sees it: a process that is started, asked, weighed and ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import TracebackType

from inference.bench.wire import (
    Answer,
    Conversation,
    Ready,
    decode_answers,
    decode_ready,
    encode_task,
)

ROOT = Path(__file__).parents[2]
"""Where contestants are started, so that the peers' own interpreters find these modules."""
READY_DEADLINE_S = 600.0
ANSWER_DEADLINE_S = 600.0
END_DEADLINE_S = 20.0
LOG_TAIL_CHARACTERS = 300


class WorkerError(Exception):
    """A contestant did not start, broke off or did not answer; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a contestant is started: a command, and what is added to the environment."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Worker:
    """One running contestant; a context that ends its process and all that this has started."""

    def __init__(self, name: str, launch: Launch, *, log: Path, threads: int) -> None:
        """Start and wait until it is ready; `ready_s` is how long that took.

        Raises:
            WorkerError: it ended, said something else, or was not ready in ten minutes.
        """
        self.name = name
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        began = monotonic()
        with log.open("wb") as errors:
            try:
                self._process = subprocess.Popen(  # noqa: S603  # our own commands
                    list(launch.command),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    cwd=ROOT,
                    env={**os.environ, "OMP_NUM_THREADS": str(threads), **launch.environment},
                    start_new_session=True,  # a server that it started ends with it
                    bufsize=0,
                )
            except OSError as error:
                raise WorkerError(str(error)) from error
        if self._process.stdin is None or self._process.stdout is None:
            raise WorkerError("started without pipes")
        self._pipe_in, self._pipe_out = self._process.stdin, self._process.stdout
        try:
            self._ready = self._read_ready()
        except WorkerError:
            self.close()
            raise
        self.ready_s = monotonic() - began

    def __enter__(self) -> Worker:
        """Return the running contestant."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()

    @property
    def description(self) -> str:
        """Return what the contestant says that it is."""
        return self._ready.description

    def ask(self, conversations: Sequence[Conversation], tokens: int) -> list[Answer]:
        """Let all conversations be answered at once, with so many tokens each.

        Raises:
            WorkerError: the contestant failed, ended, took ten minutes, or answered with fewer
                tokens, which would flatter it.
        """
        line = encode_task(conversations, tokens) + "\n"
        try:
            self._pipe_in.write(line.encode())
        except OSError as error:
            raise WorkerError(self._last_words()) from error
        try:
            answers = decode_answers(self._read_line(ANSWER_DEADLINE_S))
        except (ValueError, TypeError) as error:
            raise WorkerError(str(error)) from error
        counts = [answer.tokens for answer in answers]
        if len(counts) != len(conversations) or min(counts) < tokens:
            raise WorkerError(f"asked for {len(conversations)} x {tokens} tokens, got {counts}")
        return answers

    def peak_bytes(self) -> int:
        """Return the most memory that the computing process ever had resident (VmHWM).

        A page counts once for the process, mapped files included.

        Raises:
            WorkerError: the process is gone.
        """
        try:
            status = Path(f"/proc/{self._ready.pid}/status").read_text(encoding="ascii")
        except OSError as error:
            raise WorkerError(self._last_words()) from error
        words = next(line.split() for line in status.splitlines() if line.startswith("VmHWM"))
        return int(words[1]) * 1024

    def close(self) -> None:
        """End the contestant: asked first by the closed pipe, then with its whole group."""
        with suppress(BrokenPipeError):
            self._pipe_in.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_DEADLINE_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._pipe_out.close()

    def _read_ready(self) -> Ready:
        text = self._read_line(READY_DEADLINE_S)
        try:
            return decode_ready(text)
        except ValueError as error:
            raise WorkerError(str(error)) from error

    def _read_line(self, deadline_s: float) -> str:
        if not select.select([self._pipe_out], [], [], deadline_s)[0]:
            raise WorkerError(f"no answer within {deadline_s:.0f} s")
        line: bytes = self._pipe_out.readline()
        if not line.endswith(b"\n"):
            raise WorkerError(self._last_words())
        return line.decode()

    def _last_words(self) -> str:
        words = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return f"ended; the last of its log: …{words[-LOG_TAIL_CHARACTERS:]}"
