"""A sample notices what happens at the head of a stretch and at each step behind it."""

from __future__ import annotations

from pathlib import Path

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
