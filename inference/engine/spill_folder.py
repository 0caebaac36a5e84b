"""A folder of pages that left the memory: bounded, least recently used out first, never trusted.

Pages go in as runs, by a background thread, and come back one at a time by their chain. What is
still waiting to be written can be read already. One process owns a folder; it may be deleted at
any time. Only files that bear this module's endings are ever touched.

The scheduler's thread calls everything here; the writing thread is this module's own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.engine.cache_keys import chain_root
from inference.engine.spill_file import (
    PARTIAL_SUFFIX,
    SUFFIX,
    BrokenPagesError,
    PageForm,
    RunHeader,
    count_run_bytes,
    name_run,
    read_header,
    read_page,
    write_run,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpillStats:
    """How full the folder is, and what went through it since the start."""

    stored_bytes: int = 0
    stored_pages: int = 0
    written_pages: int = 0
    read_pages: int = 0
    dropped_pages: int = 0


@dataclass(slots=True, eq=False)
class _Run:
    """A run of pages: waiting with its `contents`, or written with its `header`."""

    chains: tuple[bytes, ...]
    contents: NDArray[np.uint8] | None = None
    header: RunHeader | None = None


class SpillFolder:
    """Pages on disk, found by chain.

    Invariant: every chain leads to a run that is waiting or stored; the stored runs' files are
    together no larger than the budget.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fingerprint: bytes,
        page_bytes: int,
        budget_bytes: int,
        waiting_runs: int = 4,
    ) -> None:
        """Open or make the folder, remove what is broken or foreign in it, start the writer.

        `fingerprint` is all that pages depend on beside their keys: checkpoint, number formats,
        kernels. `waiting_runs` bounds the memory of what is not yet written.

        Raises:
            OSError: the folder cannot be made or read.
        """
        self.form = PageForm(chain_root(fingerprint), page_bytes)
        self._folder = folder
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._places: dict[bytes, tuple[_Run, int]] = {}
        self._stored: OrderedDict[str, _Run] = OrderedDict()
        self._stored_bytes = 0
        self._written_pages = 0
        self._read_pages = 0
        self._dropped_pages = 0
        self._is_closed = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._scan()
        self._waiting: queue.Queue[_Run | None] = queue.Queue(waiting_runs)
        self._writer = threading.Thread(
            target=self._write_runs, name="inference-spill", daemon=True
        )
        self._writer.start()

    def has(self, chain: bytes) -> bool:
        """Say whether a page is here, as far as one knows without reading it."""
        with self._lock:
            return chain in self._places

    def has_room(self) -> bool:
        """Say whether the next run would be taken at once."""
        return not self._is_closed and not self._waiting.full()

    def put(
        self, chains: Sequence[bytes], contents: NDArray[np.uint8], *, wait_s: float = 0.0
    ) -> bool:
        """Take a run of at most 16 pages, `contents` (pages, bytes a page), to be written soon.

        False when the queue stays full for `wait_s`, or after `close`: the run is dropped. A run
        whose last page is here already is not written again. The caller must not change `contents`
        afterwards.
        """
        run = _Run(tuple(chains), contents=contents)
        with self._lock:
            if run.chains[-1] in self._places:
                return True
            self._index(run)
        if self._enqueue(run, wait_s):
            return True
        self._drop(run)
        return False

    def read(self, chain: bytes) -> NDArray[np.uint8] | None:
        """Return a page's content (bytes a page,), or None when it is not here or broken."""
        with self._lock:
            if chain not in self._places:
                return None
            run, number = self._places[chain]
            contents, header = run.contents, run.header
        if header is not None:
            content = self._read_file(run, header, number)
        else:
            content = None if contents is None else contents[number]
        if content is not None:
            with self._lock:
                self._read_pages += 1
        return content

    def flush(self) -> None:
        """Block until everything that waits is written or dropped."""
        self._waiting.join()

    def close(self) -> None:
        """Write what waits and end the thread; what is stored can still be read."""
        if not self._is_closed:
            self._is_closed = True
            self._waiting.put(None)
        self._writer.join()

    def stats(self) -> SpillStats:
        """Return how full the folder is and what it did."""
        with self._lock:
            return SpillStats(
                stored_bytes=self._stored_bytes,
                stored_pages=sum(len(run.chains) for run in self._stored.values()),
                written_pages=self._written_pages,
                read_pages=self._read_pages,
                dropped_pages=self._dropped_pages,
            )

    def _enqueue(self, run: _Run, wait_s: float) -> bool:
        if self._is_closed:
            return False
        try:
            self._waiting.put(run, block=wait_s > 0, timeout=wait_s)
        except queue.Full:
            return False
        return True

    def _read_file(self, run: _Run, header: RunHeader, number: int) -> NDArray[np.uint8] | None:
        path = self._folder / name_run(run.chains)
        try:
            content = read_page(path, self.form, header, number)
        except (BrokenPagesError, OSError) as error:
            logger.warning("A spilled page cannot be read and will be computed again: %s", error)
            with self._lock:
                self._forget(run)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the order of use outlives the process
        with self._lock:
            if path.name in self._stored:  # the writer may have made room meanwhile
                self._stored.move_to_end(path.name)
        return content

    def _scan(self) -> None:
        for partial in self._folder.glob(f"*{PARTIAL_SUFFIX}"):
            _remove(partial)
        files = [path for path in self._folder.glob(f"*{SUFFIX}") if path.is_file()]
        for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
            try:
                header = read_header(path, self.form)
            except (BrokenPagesError, OSError) as error:
                logger.info("Removed a file of spilled pages: %s", error)
                _remove(path)
                continue
            run = _Run(header.chains, header=header)
            self._index(run)
            self._keep(run)
        self._make_room(0)

    def _write_runs(self) -> None:
        while (run := self._waiting.get()) is not None:
            self._write(run)
            self._waiting.task_done()
        self._waiting.task_done()

    def _write(self, run: _Run) -> None:
        contents = run.contents
        size = count_run_bytes(self.form, len(run.chains))
        if contents is None or size > self._budget_bytes:
            self._drop(run)
            return
        with self._lock:
            self._make_room(size)
        try:
            header = write_run(self._folder, self.form, run.chains, contents)
        except OSError as error:
            logger.warning("Pages could not be spilled: %s", error)
            self._drop(run)
            return
        with self._lock:
            run.header, run.contents = header, None
            self._keep(run)
            self._written_pages += len(run.chains)

    def _index(self, run: _Run) -> None:
        for number, chain in enumerate(run.chains):
            self._places.setdefault(chain, (run, number))

    def _keep(self, run: _Run) -> None:
        self._stored[name_run(run.chains)] = run
        self._stored_bytes += count_run_bytes(self.form, len(run.chains))

    def _drop(self, run: _Run) -> None:
        with self._lock:
            self._forget_places(run)
            self._dropped_pages += len(run.chains)

    def _make_room(self, size: int) -> None:
        while self._stored and self._stored_bytes + size > self._budget_bytes:
            self._forget(next(iter(self._stored.values())))

    def _forget(self, run: _Run) -> None:
        name = name_run(run.chains)
        if self._stored.pop(name, None) is None:
            return
        self._stored_bytes -= count_run_bytes(self.form, len(run.chains))
        self._forget_places(run)
        _remove(self._folder / name)

    def _forget_places(self, run: _Run) -> None:
        for chain in run.chains:
            if self._places.get(chain, (None, 0))[0] is run:
                del self._places[chain]


def _remove(path: Path) -> None:
    # A file that cannot be removed costs its space, never the answer that is being written.
    with contextlib.suppress(OSError):
        path.unlink()
