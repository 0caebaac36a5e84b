"""A sample notices what happens at the head of a stretch and at each step behind it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from inference.engine.content_sample import SAMPLE_BYTES, STEP_BYTES, ContentSample

SIZE = 2 * STEP_BYTES + 100
START = 10


def hash_file(path: Path) -> str:
    sample = ContentSample()
    with path.open("rb") as file:
        sample.add_stretches(file, [(START, SIZE)])
    return sample.hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file longer than two steps."""
    path = tmp_path / "file"
    path.write_bytes(bytes(SIZE))
    return path


def change(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"x")


@pytest.mark.parametrize(
    "offset",
    [START, START + SAMPLE_BYTES - 1, START + STEP_BYTES, START + 2 * STEP_BYTES, SIZE - 1],
    ids=["first", "end-of-first-sample", "second-sample", "last-sample", "last-byte"],
)
def test_change_in_a_sample_is_noticed(path: Path, offset: int) -> None:
    before = hash_file(path)

    change(path, offset)

    assert hash_file(path) != before


@pytest.mark.parametrize(
    "offset", [START - 1, START + SAMPLE_BYTES], ids=["before-the-stretch", "between-samples"]
)
def test_change_outside_the_samples_goes_unnoticed(path: Path, offset: int) -> None:
    before = hash_file(path)

    change(path, offset)

    assert hash_file(path) == before


def test_file_that_ends_early_is_noticed(path: Path) -> None:
    before = hash_file(path)

    path.write_bytes(bytes(SIZE - 1))

    assert hash_file(path) != before


def test_bytes_do_not_move_from_one_piece_to_the_next() -> None:
    one, other = ContentSample(), ContentSample()

    for piece in (b"ab", b"c"):
        one.add(piece)
    for piece in (b"a", b"bc"):
        other.add(piece)

    assert one.hexdigest() != other.hexdigest()


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list of the places whose pages the system is asked to forget."""
    places: list[int] = []
    advise = os.posix_fadvise

    def note(descriptor: int, offset: int, length: int, advice: int) -> None:
        if advice == os.POSIX_FADV_DONTNEED:
            places.append(offset)
        advise(descriptor, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", note)
    return places


@pytest.mark.skipif(sys.platform != "linux", reason="posix_fadvise and preadv are Linux's")
def test_pages_that_were_in_memory_stay_there(
    path: Path, dropped: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(descriptor: int, buffers: Sequence[bytearray], offset: int, flags: int) -> int:
        assert flags == os.RWF_NOWAIT
        content = os.pread(descriptor, len(buffers[0]), offset)
        buffers[0][: len(content)] = content
        return len(content)

    monkeypatch.setattr(os, "preadv", read)

    hash_file(path)

    assert dropped == []


@pytest.mark.skipif(sys.platform != "linux", reason="posix_fadvise and preadv are Linux's")
def test_pages_that_only_the_sample_needed_are_forgotten(
    path: Path, dropped: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise BlockingIOError

    known = hash_file(path)
    dropped.clear()
    monkeypatch.setattr(os, "preadv", refuse)

    assert hash_file(path) == known
    assert dropped == [0, STEP_BYTES, 2 * STEP_BYTES]
