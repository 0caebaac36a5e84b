"""The folder: bounded, written behind one's back, and never trusted."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.engine import spill_folder
from inference.engine.spill_file import (
    PARTIAL_SUFFIX,
    PageForm,
    RunHeader,
    count_run_bytes,
    name_run,
    write_run,
)
from inference.engine.spill_folder import SpillFolder

PAGE_BYTES = 40
DEADLINE_S = 30.0
Open = Callable[..., SpillFolder]


def chain(number: int) -> bytes:
    return bytes([number]) * 32


def content(*numbers: int) -> NDArray[np.uint8]:
    return np.array([[number] * PAGE_BYTES for number in numbers], dtype=np.uint8)


def put(folder: SpillFolder, *numbers: int, wait_s: float = 0.0) -> bool:
    """Put a run of pages in, each filled with its number."""
    return folder.put([chain(number) for number in numbers], content(*numbers), wait_s=wait_s)


def known(folder: SpillFolder, numbers: Sequence[int]) -> list[int]:
    return [number for number in numbers if folder.has(chain(number))]


def is_right(folder: SpillFolder, number: int) -> bool:
    page = folder.read(chain(number))
    return page is not None and bool((page == number).all())


def run_bytes(pages: int) -> int:
    return count_run_bytes(PageForm(b"", PAGE_BYTES), pages)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spilled"


@pytest.fixture
def open_folder(path: Path) -> Iterator[Open]:
    """Return a way to open the folder, as often as wanted; all are closed at the end."""
    opened: list[SpillFolder] = []

    def open_it(
        *, fingerprint: bytes = b"model", budget_bytes: int = 10_000, waiting_runs: int = 4
    ) -> SpillFolder:
        folder = SpillFolder(
            path,
            fingerprint=fingerprint,
            page_bytes=PAGE_BYTES,
            budget_bytes=budget_bytes,
            waiting_runs=waiting_runs,
        )
        opened.append(folder)
        return folder

    yield open_it
    for folder in opened:
        folder.close()


class Gate:
    """Holds the writer up at each file, until opened."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.is_open = threading.Event()

    def write(
        self,
        folder: Path,
        form: PageForm,
        chains: Sequence[bytes],
        contents: NDArray[np.uint8],
    ) -> RunHeader:
        self.is_reached.set()
        assert self.is_open.wait(DEADLINE_S)
        return write_run(folder, form, chains, contents)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(spill_folder, "write_run", gate.write)
    yield gate
    gate.is_open.set()


def test_pages_come_back_after_they_were_written(open_folder: Open) -> None:
    folder = open_folder()

    assert put(folder, 1, 2)
    folder.flush()

    assert is_right(folder, 1)
    assert is_right(folder, 2)


def test_pages_come_back_in_another_process_of_the_same_model(open_folder: Open) -> None:
    first = open_folder()
    put(first, 1, 2)
    first.close()

    assert is_right(open_folder(), 2)


def test_a_page_that_was_never_put_in_is_not_there(open_folder: Open) -> None:
    folder = open_folder()

    assert not folder.has(chain(1))
    assert folder.read(chain(1)) is None


def test_the_folder_is_its_owners_only(open_folder: Open, path: Path) -> None:
    open_folder()

    assert path.stat().st_mode & 0o777 == 0o700


def test_pages_can_be_read_before_they_are_written(open_folder: Open, gate: Gate) -> None:
    folder = open_folder()
    put(folder, 1, 2)
    assert gate.is_reached.wait(DEADLINE_S)

    assert is_right(folder, 2)


def test_a_full_queue_drops_what_comes(open_folder: Open, gate: Gate) -> None:
    folder = open_folder(waiting_runs=1)
    put(folder, 1)
    assert gate.is_reached.wait(DEADLINE_S)
    assert folder.has_room()
    put(folder, 2)

    assert not folder.has_room()
    assert not put(folder, 3)
    assert not put(folder, 4, wait_s=0.001)

    assert known(folder, [1, 2, 3, 4]) == [1, 2]
    assert folder.stats().dropped_pages == 2


def test_one_who_waits_for_the_writer_is_taken(open_folder: Open, gate: Gate) -> None:
    folder = open_folder(waiting_runs=1)
    put(folder, 1)
    put(folder, 2, wait_s=DEADLINE_S)
    gate.is_open.set()

    assert put(folder, 3, wait_s=DEADLINE_S)


def test_a_closed_folder_takes_nothing_and_still_gives(open_folder: Open) -> None:
    folder = open_folder()
    put(folder, 1)
    folder.close()
    folder.close()

    assert not folder.has_room()
    assert not put(folder, 2)
    assert known(folder, [1, 2]) == [1]
    assert is_right(folder, 1)


def test_a_run_that_is_there_is_not_written_again(open_folder: Open) -> None:
    folder = open_folder()
    put(folder, 1, 2)

    assert put(folder, 2)
    folder.flush()

    assert folder.stats().written_pages == 2


def test_the_longest_unused_make_room(open_folder: Open) -> None:
    folder = open_folder(budget_bytes=2 * run_bytes(1))
    put(folder, 1)
    put(folder, 2)
    folder.flush()
    assert is_right(folder, 1)

    put(folder, 3)
    folder.flush()

    assert known(folder, [1, 2, 3]) == [1, 3]


def test_files_never_exceed_the_budget(open_folder: Open, path: Path) -> None:
    folder = open_folder(budget_bytes=500)
    for number in range(20):
        put(folder, number, 100 + number)
        folder.flush()
        assert sum(file.stat().st_size for file in path.iterdir()) <= 500

    assert folder.stats().stored_bytes == sum(file.stat().st_size for file in path.iterdir())


def test_a_run_larger_than_the_budget_is_dropped_and_pushes_nothing_out(open_folder: Open) -> None:
    folder = open_folder(budget_bytes=run_bytes(1))
    put(folder, 1)
    put(folder, 2, 3)
    folder.flush()

    assert known(folder, [1, 2, 3]) == [1]


def test_a_smaller_budget_removes_the_oldest_files(open_folder: Open) -> None:
    first = open_folder()
    for number in (1, 2, 3):
        put(first, number)
        first.flush()
    assert is_right(first, 1)
    first.close()

    second = open_folder(budget_bytes=run_bytes(1))

    assert known(second, [1, 2, 3]) == [1]


def test_pages_of_another_model_are_removed(open_folder: Open, path: Path) -> None:
    first = open_folder()
    put(first, 1)
    first.close()

    second = open_folder(fingerprint=b"other")

    assert not second.has(chain(1))
    assert list(path.iterdir()) == []


def test_remains_and_broken_files_are_removed_and_strange_ones_left(
    open_folder: Open, path: Path
) -> None:
    path.mkdir()
    (path / f"x{PARTIAL_SUFFIX}").write_bytes(b"cut off")
    (path / name_run([chain(1)])).write_bytes(b"not a run of pages")
    (path / "diary.txt").write_text("mine")
    (path / name_run([chain(2)])).mkdir()

    folder = open_folder()

    assert {file.name for file in path.iterdir()} == {"diary.txt", name_run([chain(2)])}
    assert known(folder, [1, 2]) == []


def damage_last_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_last_byte, Path.unlink], ids=["flipped", "gone"])
def test_a_run_with_a_broken_page_is_forgotten_whole(
    open_folder: Open, path: Path, damage: Callable[[Path], None]
) -> None:
    folder = open_folder()
    put(folder, 1, 2)
    folder.flush()
    damage(path / name_run([chain(1), chain(2)]))

    assert folder.read(chain(2)) is None

    assert known(folder, [1, 2]) == []
    assert list(path.iterdir()) == []
    assert folder.stats().stored_bytes == 0


def test_a_file_that_was_just_forgotten_is_forgotten_once(
    open_folder: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_folder(budget_bytes=run_bytes(1))
    put(folder, 1)
    folder.flush()
    read_page = spill_folder.read_page

    def read_late(*arguments: object) -> NDArray[np.uint8]:
        put(folder, 2)
        folder.flush()
        return read_page(*arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(spill_folder, "read_page", read_late)

    assert folder.read(chain(1)) is None
    assert known(folder, [1, 2]) == [2]
    assert folder.stats().stored_bytes == run_bytes(1)


def test_a_page_read_while_its_file_makes_room_is_still_right(
    open_folder: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_folder(budget_bytes=run_bytes(1))
    put(folder, 1)
    folder.flush()
    read_page = spill_folder.read_page

    def read_early(*arguments: object) -> NDArray[np.uint8]:
        page = read_page(*arguments)  # type: ignore[arg-type]  # passed on as they came
        put(folder, 2)
        folder.flush()
        return page

    monkeypatch.setattr(spill_folder, "read_page", read_early)

    assert is_right(folder, 1)
    assert known(folder, [1, 2]) == [2]


def test_a_disk_that_refuses_costs_the_pages_only(
    open_folder: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> RunHeader:
        raise OSError("disk full")

    folder = open_folder()
    with monkeypatch.context() as patch:
        patch.setattr(spill_folder, "write_run", refuse)
        put(folder, 1, 2)
        folder.flush()
    put(folder, 3)
    folder.flush()

    assert known(folder, [1, 2, 3]) == [3]
    assert folder.stats().dropped_pages == 2


def test_a_file_that_cannot_be_removed_is_forgotten_all_the_same(
    open_folder: Open, path: Path
) -> None:
    folder = open_folder()
    put(folder, 1)
    folder.flush()
    file = path / name_run([chain(1)])
    os.unlink(file)
    file.mkdir()

    assert folder.read(chain(1)) is None
    assert not folder.has(chain(1))


def test_a_page_in_two_files_is_forgotten_with_the_first(open_folder: Open) -> None:
    folder = open_folder(budget_bytes=run_bytes(1) + run_bytes(2))
    put(folder, 1)
    put(folder, 1, 2)
    folder.flush()

    put(folder, 3)
    folder.flush()

    assert known(folder, [1, 2, 3]) == [2, 3]
    assert is_right(folder, 2)


def test_a_page_in_two_files_outlives_the_second(open_folder: Open) -> None:
    folder = open_folder(budget_bytes=run_bytes(1) + run_bytes(2))
    put(folder, 1)
    put(folder, 1, 2)
    folder.flush()
    assert is_right(folder, 1)

    put(folder, 3)
    folder.flush()

    assert known(folder, [1, 2, 3]) == [1, 3]


def test_stats_count_pages_and_bytes(open_folder: Open) -> None:
    folder = open_folder()
    put(folder, 1, 2)
    folder.flush()
    folder.read(chain(1))
    folder.read(chain(9))

    stats = folder.stats()

    assert (stats.stored_pages, stats.written_pages, stats.read_pages) == (2, 2, 1)
    assert (stats.stored_bytes, stats.dropped_pages) == (run_bytes(2), 0)
