"""Forgotten pages on their way to disk and back, through the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inference.engine.kv_cache import KVCache
from inference.engine.prefix_reuse import CachedPrefix
from inference.engine.spill_file import MOST_PAGES
from inference.engine.spill_folder import SpillFolder
from tests.inference.engine.hashing_model import HashingModel, S, make_pool

TALK = list(range(1, 18))
"""Four pages and a token."""
LONG = list(range(100, 100 + S * (MOST_PAGES + 4) + 1))
OTHER = [7] * 20


class Cabinet:
    """A cache over a folder that can be closed and opened again."""

    def __init__(self, path: Path, pages: int) -> None:
        pool = make_pool(pages)
        self.folder = SpillFolder(
            path, fingerprint=b"model", page_bytes=pool.page_bytes, budget_bytes=1_000_000
        )
        self.cache = KVCache(pool, self.folder)
        self.model = HashingModel(self.cache)

    def displace(self, count: int = 1) -> None:
        """Push out all that is older by conversations of five pages."""
        for number in range(count):
            self.model.answer([1000 + number, *OTHER[1:]])
        self.folder.flush()


Open = Callable[..., Cabinet]


@pytest.fixture
def open_cabinet(tmp_path: Path) -> Iterator[Open]:
    opened: list[Cabinet] = []

    def open_it(pages: int = 5) -> Cabinet:
        opened.append(Cabinet(tmp_path, pages))
        return opened[-1]

    yield open_it
    for cabinet in opened:
        cabinet.cache.close(within_s=0)


def test_a_forgotten_conversation_comes_back_from_disk(open_cabinet: Open) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    cabinet.displace()

    sequence = cabinet.cache.begin(TALK)

    assert sequence.length == 16
    cabinet.model.check(sequence, TALK)
    assert cabinet.cache.stats().restored_tokens == 16
    cabinet.cache.check_invariants()


def test_looking_up_tells_what_the_disk_has(open_cabinet: Open) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    cabinet.displace()

    assert cabinet.cache.match(TALK) == CachedPrefix(tokens=0, spilled_tokens=16)


def test_a_page_in_memory_that_begins_alike_counts_once(open_cabinet: Open) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    cabinet.displace()
    cabinet.model.answer([1, 2, 9, 9])

    assert cabinet.cache.match(TALK) == CachedPrefix(tokens=2, spilled_tokens=14)


def test_a_forgotten_conversation_becomes_one_file(open_cabinet: Open, tmp_path: Path) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    cabinet.displace()

    assert len(list(tmp_path.iterdir())) == 1


def test_what_came_back_is_not_written_again(open_cabinet: Open) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    cabinet.displace()
    cabinet.cache.release(cabinet.cache.begin(TALK))
    cabinet.folder.flush()
    written = cabinet.folder.stats().written_pages

    cabinet.displace()

    assert cabinet.folder.stats().written_pages == written


def test_at_most_one_run_comes_back_a_call(open_cabinet: Open) -> None:
    cabinet = open_cabinet(pages=24)
    cabinet.model.answer(LONG)
    cabinet.displace(count=5)

    sequence = cabinet.cache.begin(LONG)
    assert sequence.length == MOST_PAGES * S

    assert cabinet.cache.catch_up(sequence, LONG) == 4 * S
    cabinet.model.check(sequence, LONG)


def test_what_comes_back_fills_own_pages_first(open_cabinet: Open) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    cabinet.displace()
    cabinet.folder.flush()
    sequence = cabinet.cache.begin([0])
    cabinet.cache.reserve(sequence, 17)

    gained = cabinet.cache.catch_up(sequence, TALK)

    assert (gained, len(sequence.pages)) == (16, 5)
    cabinet.cache.check_invariants()


def test_only_as_much_comes_back_as_there_is_room(open_cabinet: Open) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    cabinet.displace()
    running = cabinet.cache.begin([9] * 12)
    cabinet.cache.reserve(running, 12)

    sequence = cabinet.cache.begin(TALK)

    assert sequence.length == 8
    cabinet.cache.check_invariants()


def test_a_broken_file_is_computed_again(open_cabinet: Open, tmp_path: Path) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    cabinet.displace()
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    sequence = cabinet.cache.begin(TALK)
    assert sequence.length == 12

    cabinet.model.run(sequence, TALK, 17)

    cabinet.model.check(sequence, TALK)
    cabinet.cache.check_invariants()


def test_yesterdays_conversation_comes_back_after_a_restart(open_cabinet: Open) -> None:
    yesterday = open_cabinet(pages=32)
    yesterday.model.answer(LONG)
    yesterday.cache.close(within_s=30)

    today = open_cabinet(pages=32)
    sequence = today.cache.begin(LONG)
    today.cache.catch_up(sequence, LONG)

    assert sequence.length == len(LONG) - 1
    today.model.check(sequence, LONG)


def test_closing_writes_a_shared_prefix_once(open_cabinet: Open) -> None:
    cabinet = open_cabinet(pages=32)
    cabinet.model.answer(TALK)
    cabinet.model.answer([*TALK[:8], *OTHER])

    cabinet.cache.close(within_s=30)

    assert cabinet.folder.stats().written_pages == 4 + 5


def test_closing_without_time_writes_nothing(open_cabinet: Open, tmp_path: Path) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)

    cabinet.cache.close(within_s=0)

    assert list(tmp_path.iterdir()) == []


def test_while_the_disk_is_behind_pages_are_forgotten(
    open_cabinet: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    cabinet = open_cabinet()
    cabinet.model.answer(TALK)
    monkeypatch.setattr(cabinet.folder, "has_room", lambda: False)

    cabinet.displace()

    assert cabinet.cache.match(TALK) == CachedPrefix(tokens=0)
    assert cabinet.folder.stats().written_pages == 0
