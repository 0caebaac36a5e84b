"""The cache as the scheduler uses it: one conversation after another, and side by side."""

from __future__ import annotations

import pytest
import torch

from inference.engine.cache_keys import picture_keys
from inference.engine.kv_cache import KVCache
from inference.engine.prefix_reuse import CachedPrefix
from tests.inference.engine.hashing_model import HashingModel, S, make_pool

PICTURE = picture_keys(b"cat", 6)
PROMPT = [7, *PICTURE, 8, 9]
"""Nine tokens: two pages of four, and one more."""


@pytest.fixture
def cache() -> KVCache:
    return KVCache(make_pool(8))


@pytest.fixture
def model(cache: KVCache) -> HashingModel:
    return HashingModel(cache)


def test_an_empty_cache_knows_nothing(cache: KVCache) -> None:
    sequence = cache.begin(PROMPT)

    assert (sequence.length, sequence.cached_tokens, sequence.pages) == (0, 0, [])
    assert cache.stats().miss_tokens == len(PROMPT)


@pytest.mark.parametrize("keys", [[], [7]], ids=["empty", "one token"])
def test_a_prompt_too_short_to_be_known_starts_empty(
    cache: KVCache, model: HashingModel, keys: list[int]
) -> None:
    model.answer(PROMPT)

    assert cache.begin(keys).length == 0


def test_a_follow_up_computes_only_what_is_new(cache: KVCache, model: HashingModel) -> None:
    model.answer(PROMPT)
    follow_up = [*PROMPT, 4, 5]

    sequence = cache.begin(follow_up)

    assert sequence.length == sequence.cached_tokens == len(PROMPT)
    model.check(sequence, follow_up)
    cache.check_invariants()


def test_the_last_token_of_a_known_prompt_is_computed(cache: KVCache, model: HashingModel) -> None:
    model.answer(PROMPT[:8])

    sequence = cache.begin(PROMPT[:8])

    assert sequence.length == 7
    model.check(sequence, PROMPT)


def test_looking_up_tells_what_beginning_would_give(cache: KVCache, model: HashingModel) -> None:
    model.answer(PROMPT)
    before = cache.stats()

    prefix = cache.match([*PROMPT, 1])

    assert prefix == CachedPrefix(tokens=9)
    assert cache.stats() == before


def test_another_conversation_with_the_same_picture_shares_its_pages(
    cache: KVCache, model: HashingModel
) -> None:
    first = cache.begin(PROMPT)
    model.run(first, PROMPT, 9)

    second = cache.begin([*PROMPT[:8], 1, 2])

    assert second.pages[:2] == first.pages[:2]
    assert second.length == 8


def test_a_picture_half_computed_by_a_running_sequence_is_reused(
    cache: KVCache, model: HashingModel
) -> None:
    first = cache.begin(PROMPT)
    model.run(first, PROMPT, 5)
    second = cache.begin(PROMPT)
    assert second.length == 4

    model.run(first, PROMPT, 9)
    gained = cache.catch_up(second, PROMPT)

    assert (gained, second.length, second.cached_tokens) == (4, 8, 8)
    model.check(second, PROMPT)
    cache.check_invariants()


def test_catching_up_replaces_own_pages_that_were_reserved(
    cache: KVCache, model: HashingModel
) -> None:
    first, second = cache.begin(PROMPT), cache.begin(PROMPT)
    model.run(second, PROMPT, 2)
    cache.reserve(second, 9)
    model.run(first, PROMPT, 9)

    gained = cache.catch_up(second, PROMPT)

    assert (gained, second.cached_tokens) == (6, 6)
    assert second.pages[:2] == first.pages[:2]
    cache.check_invariants()


def test_two_that_compute_the_same_page_end_with_one(cache: KVCache, model: HashingModel) -> None:
    first, second = cache.begin(PROMPT), cache.begin(PROMPT)

    model.run(first, PROMPT, 9)
    model.run(second, PROMPT, 9)

    assert first.pages[:2] == second.pages[:2]
    assert first.pages[2] != second.pages[2]
    assert cache.stats().cached_pages == 2
    cache.check_invariants()


def test_an_edit_reuses_the_part_of_a_page_before_it_in_a_copy(
    cache: KVCache, model: HashingModel
) -> None:
    model.answer([1, 2, 3, 4, 5, 6, 7, 8, 9])
    edited = [1, 2, 3, 4, 5, 6, 0, 0, 0]

    sequence = cache.begin(edited)
    assert sequence.length == 6
    model.run(sequence, edited, 9)

    model.check(sequence, edited)
    model.check(cache.begin([1, 2, 3, 4, 5, 6, 7, 8, 9, 9]), [1, 2, 3, 4, 5, 6, 7, 8, 9])
    cache.check_invariants()


def test_without_room_for_a_copy_only_whole_pages_are_reused(model: HashingModel) -> None:
    cache = KVCache(make_pool(2))
    model = HashingModel(cache)
    running = cache.begin([1, 2, 3, 4, 5, 6, 7, 8])
    model.run(running, [1, 2, 3, 4, 5, 6, 7, 8], 8)

    sequence = cache.begin([1, 2, 3, 4, 5, 6, 9])

    assert (sequence.length, sequence.pages) == (4, running.pages[:1])
    cache.check_invariants()


def test_what_is_copied_is_not_forgotten_to_make_room_for_the_copy() -> None:
    cache = KVCache(make_pool(2))
    model = HashingModel(cache)
    model.answer([1, 2, 3, 4])
    other = cache.begin([9])
    model.run(other, [9], 1)

    sequence = cache.begin([1, 2, 3, 5, 5])

    assert sequence.length == 0
    cache.check_invariants()


def test_reserving_covers_the_tokens_with_pages(cache: KVCache) -> None:
    sequence = cache.begin(PROMPT)

    assert cache.reserve(sequence, 9)
    assert sequence.reserved_tokens == 12
    assert cache.reserve(sequence, 3)
    assert sequence.reserved_tokens == 12


def test_reserving_forgets_the_longest_unused(cache: KVCache, model: HashingModel) -> None:
    model.answer([1] * 16)
    model.answer([2] * 16)
    sequence = cache.begin([3] * 16)

    assert cache.reserve(sequence, 16)

    assert cache.stats().evicted_pages == 4
    assert cache.match([1] * 16).tokens == 0
    assert cache.match([2] * 17).tokens == 16


def test_reserving_too_much_changes_nothing(cache: KVCache, model: HashingModel) -> None:
    model.answer([1] * 16)
    running = cache.begin([2] * 16)
    cache.reserve(running, 16)
    sequence = cache.begin([3] * 20)
    before = cache.stats()

    assert not cache.reserve(sequence, 20)

    assert (cache.stats(), sequence.pages) == (before, [])
    assert cache.available_tokens == 16


def test_a_running_sequence_keeps_its_pages_under_pressure(
    cache: KVCache, model: HashingModel
) -> None:
    running = cache.begin(PROMPT)
    model.run(running, PROMPT, 9)

    for number in range(20):
        model.answer([100 + number] * 20)

    model.check(running, PROMPT)
    cache.check_invariants()


def test_an_evicted_page_is_prefilled_again(cache: KVCache, model: HashingModel) -> None:
    model.answer(PROMPT)
    model.answer([3] * 32)

    sequence = model.answer(PROMPT)

    assert sequence.cached_tokens == 0
    cache.check_invariants()


def test_rejected_drafts_leave_no_trace(cache: KVCache, model: HashingModel) -> None:
    sequence = cache.begin(PROMPT)
    cache.reserve(sequence, 12)
    model.write(sequence, [*PROMPT, 0, 0, 0], 12)
    cache.commit(sequence, PROMPT)

    model.run(sequence, [*PROMPT, 1, 2, 3], 12)

    model.check(sequence, [*PROMPT, 1, 2, 3])


def test_committing_more_than_was_reserved_is_refused(cache: KVCache) -> None:
    sequence = cache.begin(PROMPT)
    cache.reserve(sequence, 4)

    with pytest.raises(ValueError, match="nothing was reserved"):
        cache.commit(sequence, PROMPT[:5])


@pytest.mark.parametrize("end", [0, 3, 4, 9])
def test_a_cancelled_sequence_leaves_what_it_computed(
    cache: KVCache, model: HashingModel, end: int
) -> None:
    sequence = cache.begin(PROMPT)
    cache.reserve(sequence, 20)
    model.run(sequence, PROMPT, end)

    cache.release(sequence)

    assert cache.match([*PROMPT, 1]).tokens == end
    assert cache.stats().private_pages == 0
    cache.check_invariants()


def test_an_end_that_is_known_already_is_not_kept_twice(
    cache: KVCache, model: HashingModel
) -> None:
    first, second = cache.begin(PROMPT), cache.begin(PROMPT)
    for sequence in (first, second):
        model.run(sequence, PROMPT, 9)
        cache.release(sequence)

    assert cache.stats().cached_pages == 3
    cache.check_invariants()


def test_a_preempted_sequence_goes_on_where_it_was(cache: KVCache, model: HashingModel) -> None:
    written = [*PROMPT, 1, 2]
    sequence = cache.begin(PROMPT)
    model.run(sequence, written, 11)
    cache.release(sequence)

    again = cache.begin(written)

    assert again.length == 10
    model.check(again, written)


def test_a_released_sequence_is_over(cache: KVCache) -> None:
    sequence = cache.begin(PROMPT)
    cache.release(sequence)

    with pytest.raises(ValueError, match="was released"):
        cache.release(sequence)
    with pytest.raises(ValueError, match="was released"):
        cache.reserve(sequence, 1)
    with pytest.raises(ValueError, match="was released"):
        cache.commit(sequence, [])
    with pytest.raises(ValueError, match="was released"):
        cache.catch_up(sequence, PROMPT)


@pytest.mark.parametrize(("tokens", "fits"), [(0, True), (32, True), (33, False)])
def test_what_is_longer_than_the_memory_never_fits(
    cache: KVCache, tokens: int, *, fits: bool
) -> None:
    assert cache.fits(tokens) is fits
    assert cache.capacity_tokens == 8 * S


def test_page_tables_are_filled_up_with_minus_one(cache: KVCache) -> None:
    long, short = cache.begin(PROMPT), cache.begin([1, 2])
    cache.reserve(long, 9)
    cache.reserve(short, 2)

    tables = cache.page_tables([long, short])

    assert tables.dtype == torch.int32
    assert tables.tolist() == [[0, 1, 2], [3, -1, -1]]


def test_page_tables_of_nobody_are_empty(cache: KVCache) -> None:
    assert cache.page_tables([]).shape == (0, 0)


def test_stats_tell_where_pages_and_tokens_went(cache: KVCache, model: HashingModel) -> None:
    model.answer(PROMPT)
    sequence = cache.begin([*PROMPT[:8], 1, 2])
    cache.reserve(sequence, 10)

    stats = cache.stats()

    assert (stats.pages, stats.free_pages, stats.private_pages) == (8, 4, 1)
    assert (stats.cached_pages, stats.idle_pages, stats.sequences) == (3, 1, 1)
    assert (stats.hit_tokens, stats.miss_tokens) == (8, 11)
    assert (stats.restored_tokens, stats.evicted_pages) == (0, 0)


def test_closing_without_a_folder_keeps_everything(cache: KVCache, model: HashingModel) -> None:
    model.answer(PROMPT)

    cache.close()

    assert cache.match([*PROMPT, 1]).tokens == 9
