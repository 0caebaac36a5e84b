"""Who is measured beside whom, and in which order.

A group is in memory together. For each figure its members take turns, so that the same moment of
the machine falls on all of them, and every second round turns the order about. A member that fails
is reported and leaves its group; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from inference.bench.asks import ALONE, Ask, Questions, ask_peak_memory
from inference.bench.probes import Prober
from inference.bench.prompts import WARM_UP_SIZE_PX, ask_about, draw_picture
from inference.bench.results import Measured, Results
from inference.bench.worker import Launch, Worker, WorkerError

WARM_UP_TOKENS = 2
WARM_UP_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Contestants side by side; what one person asks in all rounds, and what is asked once."""

    name: str
    members: Sequence[str]
    in_rounds: Sequence[Ask] = ALONE
    once: Sequence[Ask] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A run: how contestants start, who measures the machine, where files go, what came out.

    `launches` has only those contestants that can be started.
    """

    launches: Mapping[str, Launch]
    prober: Prober
    folder: Path
    threads: int
    rounds: int
    questions: Questions
    say: Callable[[str], None]
    results: Results = field(default_factory=Results)

    def start_once(self, name: str) -> None:
        """Start a contestant and end it, so that its next start finds what the first one leaves."""
        try:
            self.open(name).close()
        except WorkerError as error:
            self.report(name, "first start", error)

    def run(self, groups: Sequence[Group]) -> None:
        """Measure all groups, one after the other."""
        for group in groups:
            members = [name for name in group.members if name in self.launches]
            self.say(f"Group {group.name}: {', '.join(members) or 'nobody is there'}.")
            with ExitStack() as running:
                _GroupRun(self, group, running, members).measure()

    def open(self, name: str) -> Worker:
        """Start a contestant.

        Raises:
            WorkerError: it did not start.
        """
        log = self.folder / "logs" / f"{name.replace(' ', '-')}.log"
        return Worker(name, self.launches[name], log=log, threads=self.threads)

    def report(self, name: str, moment: str, error: WorkerError) -> None:
        """Keep and say what went wrong."""
        self.results.problems.append(f"{name}, {moment}: {error}")
        self.say(f"  {self.results.problems[-1]}")


class _GroupRun:
    """One group being measured."""

    def __init__(
        self, bench: Bench, group: Group, running: ExitStack, members: Sequence[str]
    ) -> None:
        self._bench = bench
        self._group = group
        self._running = running
        self._workers: list[Worker] = []
        for name in members:
            self._start(name)

    def measure(self) -> None:
        for round_ in range(1, self._bench.rounds + 1):
            for ask in self._group.in_rounds:
                self._take_turns(ask, round_)
        for ask in (*self._group.once, ask_peak_memory):
            self._take_turns(ask, 1)

    def _start(self, name: str) -> None:
        """Start a member and warm it up with a small picture."""
        pictures = self._bench.questions.pictures
        small = draw_picture(pictures, WARM_UP_SEED, WARM_UP_SIZE_PX)
        before = self._bench.prober.probe()
        try:
            worker = self._running.enter_context(self._bench.open(name))
            worker.ask([ask_about(small)], WARM_UP_TOKENS)
        except WorkerError as error:
            self._bench.report(name, "start", error)
            return
        probe = before.between(self._bench.prober.probe())
        self._bench.say(f"  {name}: {worker.description}, ready after {worker.ready_s:.1f} s")
        self._bench.results.measured.append(
            Measured(self._group.name, 0, name, "start_s", worker.ready_s, probe)
        )
        self._workers.append(worker)

    def _take_turns(self, ask: Ask, round_: int) -> None:
        """Ask all members; whoever fails leaves."""
        order = 1 if round_ % 2 else -1
        for worker in self._workers[::order]:
            try:
                self._ask(worker, ask, round_)
            except WorkerError as error:
                self._bench.report(worker.name, f"round {round_}, {ask.__name__}", error)
                self._workers.remove(worker)

    def _ask(self, worker: Worker, ask: Ask, round_: int) -> None:
        before = self._bench.prober.probe()
        figures = ask(worker, round_, self._bench.questions)
        probe = before.between(self._bench.prober.probe())
        words = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._bench.say(f"  round {round_}, {worker.name}: {words}   [{probe}]")
        self._bench.results.measured.extend(
            Measured(self._group.name, round_, worker.name, name, value, probe)
            for name, value in figures.items()
        )
