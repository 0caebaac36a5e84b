"""Files of pages: whole and of this model, or refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.engine import spill_file
from inference.engine.spill_file import (
    BrokenPagesError,
    PageForm,
    RunHeader,
    count_run_bytes,
    name_run,
    read_header,
    read_page,
    write_run,
)

FORM = PageForm(model=b"m" * 32, page_bytes=40)
CHAINS = [b"a" * 32, b"b" * 32, b"c" * 32]
CONTENTS: NDArray[np.uint8] = np.arange(120, dtype=np.uint8).reshape(3, 40)


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, RunHeader]:
    header = write_run(tmp_path, FORM, CHAINS, CONTENTS)
    return tmp_path / name_run(CHAINS), header


Written = tuple[Path, RunHeader]


def test_a_header_says_what_was_written(written: Written) -> None:
    path, header = written

    assert read_header(path, FORM) == header
    assert header.chains == tuple(CHAINS)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_page_comes_back_as_it_was(written: Written, number: int) -> None:
    assert np.array_equal(read_page(written[0], FORM, written[1], number), CONTENTS[number])


def test_a_file_has_the_foretold_size_and_is_its_owners(written: Written) -> None:
    status = written[0].stat()

    assert status.st_size == count_run_bytes(FORM, 3)
    assert stat.S_IMODE(status.st_mode) == 0o600


def test_nothing_else_lies_beside_a_file(written: Written) -> None:
    assert list(written[0].parent.iterdir()) == [written[0]]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)

    with pytest.raises(OSError, match="disk full"):
        write_run(tmp_path, FORM, CHAINS, CONTENTS)
    assert list(tmp_path.iterdir()) == []


def cut(size: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:size]


def flip(position: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[position] ^= 1
        return bytes(changed)

    return change


HEADER_BYTES = count_run_bytes(FORM, 3) - 120


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(cut(0), "cut off", id="empty"),
        pytest.param(cut(60), "cut off", id="within the chains"),
        pytest.param(cut(HEADER_BYTES - 1), "cut off", id="within the checksum"),
        pytest.param(cut(HEADER_BYTES + 100), "another size", id="within the pages"),
        pytest.param(lambda content: content + b"x", "another size", id="too long"),
        pytest.param(flip(0), "not a file of pages", id="magic"),
        pytest.param(lambda content: b"VLPAGES1" + content[8:], "not a file", id="older form"),
        pytest.param(flip(9), "another model", id="model"),
        pytest.param(flip(40), "another model", id="page size"),
        pytest.param(flip(49), "not a file of pages", id="page count"),
        pytest.param(flip(60), "header's checksum", id="chain"),
    ],
)
def test_a_damaged_header_is_refused(
    written: Written, damage: Callable[[bytes], bytes], reason: str
) -> None:
    path, _ = written
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(BrokenPagesError, match=reason):
        read_header(path, FORM)


def test_a_file_under_anothers_name_is_refused(written: Written) -> None:
    other = written[0].rename(written[0].with_name(name_run([b"x" * 32])))

    with pytest.raises(BrokenPagesError, match="another's name"):
        read_header(other, FORM)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(flip(HEADER_BYTES + 45), "page's checksum", id="flipped bit"),
        pytest.param(cut(HEADER_BYTES + 79), "cut off", id="cut off"),
    ],
)
def test_a_damaged_page_is_refused_and_the_others_are_not(
    written: Written, damage: Callable[[bytes], bytes], reason: str
) -> None:
    path, header = written
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(BrokenPagesError, match=reason):
        read_page(path, FORM, header, 1)
    assert np.array_equal(read_page(path, FORM, header, 0), CONTENTS[0])


def test_no_file_may_claim_more_pages_than_a_run_has(tmp_path: Path) -> None:
    chains = [bytes([number]) * 32 for number in range(spill_file.MOST_PAGES + 1)]
    write_run(tmp_path, FORM, chains, np.zeros((len(chains), 40), dtype=np.uint8))

    with pytest.raises(BrokenPagesError, match="not a file of pages"):
        read_header(tmp_path / name_run(chains), FORM)
