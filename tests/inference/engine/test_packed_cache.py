"""A cache file is whole or as good as none, and the directory neither fills up nor loses a file."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inference.engine.packed_cache import (
    ALIGNMENT_BYTES,
    PAGE_BYTES,
    Draft,
    PackedCache,
    PackedIndex,
    Place,
    Residence,
    align,
)

INDEX = PackedIndex(
    kernels="fake",
    source="0" * 64,
    places=(
        Place("matrix", 0, 70, (7, 10), "fake-int8-v1"),
        Place("norm", 128, 12, (3,), "float32"),
    ),
)
CONTENT = torch.arange(140, dtype=torch.uint8)


@pytest.fixture
def cache(tmp_path: Path) -> PackedCache:
    """Return a cache in a directory that is not there yet."""
    return PackedCache(tmp_path / "below" / "cache")


def store(cache: PackedCache, index: PackedIndex = INDEX, content: Tensor = CONTENT) -> Path:
    with cache.draft(index) as draft:
        draft.content.copy_(content)
        draft.publish(cache.path(index))
    return cache.path(index)


def other_index(number: int) -> PackedIndex:
    return replace(INDEX, source=f"{number:064}")


def files_of(cache: PackedCache) -> list[str]:
    return sorted(path.name for path in cache.directory.iterdir())


@pytest.mark.parametrize("residence", Residence)
def test_stored_parts_are_found_again(cache: PackedCache, residence: Residence) -> None:
    store(cache)

    content = replace(cache, residence=residence).find(INDEX)

    assert content is not None
    assert torch.equal(content, CONTENT)


def test_nothing_is_found_where_nothing_was_stored(
    cache: PackedCache, caplog: pytest.LogCaptureFixture
) -> None:
    assert cache.find(INDEX) is None
    assert not caplog.records


def test_parts_begin_on_a_page(cache: PackedCache) -> None:
    path = store(cache)

    content = path.read_bytes()

    assert content[PAGE_BYTES:] == CONTENT.numpy().tobytes()
    assert align(1) == align(ALIGNMENT_BYTES) == ALIGNMENT_BYTES


@pytest.mark.parametrize(
    "other",
    [
        replace(INDEX, kernels="other"),
        replace(INDEX, source="1" * 64),
        replace(INDEX, places=INDEX.places[:1]),
        replace(INDEX, places=(replace(INDEX.places[0], layout="fake-int8-v2"), INDEX.places[1])),
    ],
    ids=["other-kernels", "other-checkpoint", "other-parts", "other-layout"],
)
def test_other_content_has_another_file(cache: PackedCache, other: PackedIndex) -> None:
    store(cache)

    assert cache.path(other) != cache.path(INDEX)
    assert cache.find(other) is None


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _damage_head(path: Path) -> None:
    path.write_bytes(b"X" + path.read_bytes()[1:])


def _damage_part(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"X")


def _be_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [_cut, _empty, _damage_head, _damage_part, _be_a_directory],
    ids=["cut", "empty", "head-damaged", "part-damaged", "directory"],
)
def test_spoilt_file_is_ignored_with_a_log_line(
    cache: PackedCache, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    spoil(store(cache))

    assert cache.find(INDEX) is None
    assert f"{INDEX.key()}.packed are not used" in caplog.text


def test_spoilt_file_is_replaced(cache: PackedCache) -> None:
    _cut(store(cache))

    store(cache)

    assert cache.find(INDEX) is not None


def test_file_under_the_name_of_another_is_not_taken_for_it(cache: PackedCache) -> None:
    store(cache).rename(cache.path(other_index(1)))

    assert cache.find(other_index(1)) is None


def test_draft_that_fails_leaves_nothing(cache: PackedCache) -> None:
    with pytest.raises(RuntimeError, match="packing failed"), cache.draft(INDEX):
        raise RuntimeError("packing failed")

    assert files_of(cache) == []


def test_unpublished_draft_is_not_found(cache: PackedCache) -> None:
    with cache.draft(INDEX) as draft:
        draft.content.copy_(CONTENT)

        assert cache.find(INDEX) is None


def test_two_who_pack_at_once_both_publish(cache: PackedCache) -> None:
    with cache.draft(INDEX) as first, cache.draft(INDEX) as second:
        for draft in (first, second):
            draft.content.copy_(CONTENT)
            draft.publish(cache.path(INDEX))

    assert files_of(cache) == [f"{INDEX.key()}.packed"]
    assert cache.find(INDEX) is not None


def test_parts_in_use_survive_their_replacement(cache: PackedCache) -> None:
    store(cache)
    content = cache.find(INDEX)

    store(cache, content=torch.zeros_like(CONTENT))

    assert content is not None
    assert torch.equal(content, CONTENT)


def test_full_disk_is_told_before_anything_is_written(
    cache: PackedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)

    with pytest.raises(OSError, match="No space left"), cache.draft(INDEX):
        pytest.fail("a draft without room")

    assert files_of(cache) == []


def test_draft_takes_its_whole_space_at_once(cache: PackedCache) -> None:
    with cache.draft(INDEX):
        (part,) = cache.directory.iterdir()

        assert part.stat().st_size == PAGE_BYTES + INDEX.bytes
        assert part.stat().st_blocks * 512 >= part.stat().st_size


def test_least_recently_used_files_are_removed(cache: PackedCache) -> None:
    cache = replace(cache, kept=2)
    for number in range(4):
        os.utime(store(cache, other_index(number)), (number, number))
    cache.find(other_index(1))

    cache.remove_old()

    kept = [cache.path(other_index(number)).name for number in (1, 3)]
    assert files_of(cache) == sorted(kept)


def test_strange_files_are_left_alone(cache: PackedCache) -> None:
    store(cache)
    (cache.directory / "notes.txt").write_text("mine", encoding="utf-8")

    replace(cache, kept=0).remove_old()

    assert files_of(cache) == ["notes.txt"]


def test_draft_of_a_dead_process_is_removed(
    cache: PackedCache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cache.directory.mkdir(parents=True)
    (cache.directory / "abandoned.part").write_bytes(b"half")

    store(cache)

    assert files_of(cache) == [f"{INDEX.key()}.packed"]
    assert "abandoned.part" in caplog.text


def test_draft_of_a_living_process_is_not_removed(cache: PackedCache) -> None:
    with cache.draft(INDEX) as draft:
        store(cache, other_index(1))

        draft.content.copy_(CONTENT)
        draft.publish(cache.path(INDEX))

    assert cache.find(INDEX) is not None


def test_draft_can_be_written_as_one_stretch(cache: PackedCache) -> None:
    with cache.draft(INDEX) as draft:
        assert isinstance(draft, Draft)
        assert draft.content.shape == (INDEX.bytes,)
        assert draft.content.data_ptr() % ALIGNMENT_BYTES == 0
