"""What runs when, and what need not run: without a model, on a clock of its own."""

from __future__ import annotations

import pytest

from inference.engine.sequence import PicturesRead, PromptRead
from tests.inference.engine.fake_engine import Engine, ask, picture, start_answer, words
from tests.inference.engine.fake_network import VISION_LAYERS, Asker


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.mark.parametrize("rows", [1, 3, 7, 16, 500])
def test_answer_is_the_models_own_however_the_prompt_is_cut(rows: int) -> None:
    engine = Engine(rows=rows)
    asker = ask(*words(20), picture(), *words(5), max_tokens=30)
    engine.add(asker)

    engine.run()

    assert asker.tokens == asker.expected(30)
    assert [end.error for end in asker.ends] == [None]


@pytest.mark.parametrize("rows", [2, 40])
def test_answers_written_together_are_those_written_alone(rows: int) -> None:
    engine = Engine(rows=rows)
    askers = [ask(*words(10 + 9 * n, n), picture(n % 2), n, max_tokens=10 + n) for n in range(6)]
    engine.add(*askers)

    engine.run()

    for number, asker in enumerate(askers):
        assert asker.tokens == asker.expected(10 + number)


@pytest.mark.parametrize("cut", range(1, 8))
def test_answer_goes_on_behind_any_accepted_token(engine: Engine, cut: int) -> None:
    whole = ask(*words(14), picture(), 3, max_tokens=8)
    tokens = whole.expected(8)
    rest = Asker(*words(14), picture(), 3, max_tokens=8, answer_ids=tokens[:cut])
    engine.add(rest)

    engine.run()

    assert rest.tokens == tokens[cut:]


def test_end_token_ends_the_answer(engine: Engine) -> None:
    tokens = ask(5, 6).expected(9)
    asker = Asker(5, 6, max_tokens=9, eos_ids=frozenset(tokens[3:4]))
    engine.add(asker)

    engine.run()

    assert asker.tokens == tokens[: tokens.index(tokens[3]) + 1]


def test_running_answer_gets_a_token_in_every_step_that_reads_a_prompt(engine: Engine) -> None:
    writer = start_answer(engine)
    reader = ask(*words(300, 5))
    engine.add(reader)

    while not reader.tokens:
        before = len(writer.tokens)
        engine.step()
        assert len(writer.tokens) == before + 1


def test_gap_of_a_running_answer_stays_small_while_a_picture_is_read(engine: Engine) -> None:
    writer = start_answer(engine)
    reader = ask(picture(columns=600), *words(100))
    engine.add(reader)
    gaps = []

    while not reader.tokens:
        before, began = len(writer.tokens), engine.clock.now
        engine.step()
        assert len(writer.tokens) == before + 1
        gaps.append(engine.clock.now - began)

    assert max(gaps) <= 0.25


def test_tower_gives_way_to_running_answers_between_layers(engine: Engine) -> None:
    engine.network.layer_s = 0.1
    writer = start_answer(engine)
    engine.network.log.clear()
    engine.add(ask(picture()))

    engine.run(lambda: len(engine.network.list_layers("vision")) == VISION_LAYERS)

    kinds = [kind for kind, _ in engine.network.log]
    assert "vision vision" not in " ".join(kinds)
    assert not writer.has_ended


def test_prompts_are_read_in_the_order_of_arrival() -> None:
    engine = Engine(rows=4)
    askers = [ask(*words(20, n)) for n in range(3)]
    engine.add(*askers)

    order: list[int] = []
    while len(order) < 3:
        engine.step()
        order += [n for n, asker in enumerate(askers) if asker.tokens and n not in order]

    assert order == [0, 1, 2]


def test_prompt_is_read_before_pictures_of_later_requests_are_seen(engine: Engine) -> None:
    engine.network.layer_s = 0.5
    first, second = ask(picture(1), *words(100)), ask(picture(2), 3)
    engine.add(first, second)

    engine.run(lambda: bool(first.tokens))

    assert len(engine.network.list_layers("vision")) == VISION_LAYERS


def test_later_pictures_have_the_time_that_the_end_of_a_prompt_leaves(engine: Engine) -> None:
    first, second = ask(picture(1), 4), ask(picture(2), 3)
    engine.add(first, second)

    engine.run(lambda: bool(first.tokens))

    assert len(engine.network.list_layers("vision")) > VISION_LAYERS


def test_long_later_prompt_does_not_keep_pictures_waiting() -> None:
    engine = Engine(pages=2000)
    engine.network.row_s, engine.network.layer_s = 0.01, 0.2
    first, second = ask(picture(1)), ask(*words(600))
    engine.add(first, second)

    engine.run(lambda: bool(first.tokens))

    assert not second.tokens
    assert engine.clock.now < 3.0


def test_short_prompts_share_a_step() -> None:
    engine = Engine(rows=32)
    engine.add(*(ask(n, n + 1, n + 2) for n in range(1, 20, 4)))

    engine.step()

    assert engine.network.list_layers("text")[0] == (3, 3, 3, 3, 3)


def test_request_without_pictures_passes_those_that_wait_for_the_tower() -> None:
    engine = Engine()
    engine.network.layer_s = 1.0
    first, second = ask(picture(1)), ask(picture(2))
    plain = ask(1, 2, 3, max_tokens=1)
    engine.add(first, second, plain)

    engine.run(lambda: plain.has_ended)

    assert not first.tokens
    assert not second.events


def test_follow_up_reads_only_what_is_new(engine: Engine) -> None:
    first = ask(*words(20), picture(), 4, 5, max_tokens=6)
    engine.add(first)
    engine.run()
    engine.network.log.clear()
    follow_up = ask(*words(20), picture(), 4, 5, *first.tokens, 9, 10)
    engine.add(follow_up)

    engine.run()

    prompt = len(follow_up.sequence.prompt.token_ids)
    assert follow_up.cached_tokens == prompt - 3
    assert engine.network.list_layers("text")[0] == (3,)
    assert engine.network.list_layers("vision") == []
    assert follow_up.tokens == follow_up.expected(5)


def test_picture_known_from_another_conversation_is_not_encoded_again(engine: Engine) -> None:
    engine.add(ask(1, picture(7)))
    engine.run()
    other = ask(2, 3, picture(7), 4)
    engine.add(other)

    engine.run()

    assert engine.network.encoded == [7]
    assert other.cached_tokens == 0
    assert other.tokens == other.expected(5)


def test_picture_that_several_bring_at_once_is_encoded_once(engine: Engine) -> None:
    askers = [ask(n, picture(7), n) for n in range(4)]
    engine.add(*askers)

    engine.run()

    assert engine.network.encoded == [7]
    assert all(asker.tokens == asker.expected(5) for asker in askers)


def test_request_with_the_same_long_prompt_waits_for_the_other_to_read_it() -> None:
    engine = Engine(rows=16)
    first, second = ask(*words(100)), ask(*words(100), 3)
    engine.add(first, second)

    engine.run()

    assert first.cached_tokens == 0
    assert second.cached_tokens >= 96


def test_picture_is_encoded_though_no_picture_cache_keeps_it() -> None:
    engine = Engine(picture_bytes=0)
    asker = ask(picture(3), picture(4), picture(3), 1)
    engine.add(asker)

    engine.run()

    assert sorted(engine.network.encoded) == [3, 4]
    assert asker.tokens == asker.expected(5)


def test_pictures_of_one_request_are_encoded_in_batches_of_bounded_size(engine: Engine) -> None:
    asker = ask(*(picture(look, columns=1000) for look in range(3)), max_tokens=1)
    big = Engine(pages=200)
    big.add(asker)

    big.run()

    assert big.network.list_layers("vision")[::VISION_LAYERS] == [(2000, 2000), (2000,)]


def test_progress_counts_layers_of_pictures_and_tokens_of_the_prompt() -> None:
    engine = Engine(rows=10)
    asker = ask(picture(columns=8), *words(16))
    engine.add(asker)

    engine.run()

    seen = [e for e in asker.events if isinstance(e, PicturesRead)]
    read = [e for e in asker.events if isinstance(e, PromptRead)]
    assert seen == [PicturesRead(n, VISION_LAYERS) for n in range(VISION_LAYERS + 1)]
    assert (read[0], read[-1]) == (PromptRead(0, 20), PromptRead(20, 20))
    assert [e.done for e in read] == sorted(e.done for e in read)


def test_stats_tell_who_runs_and_how_fast(engine: Engine) -> None:
    start_answer(engine)
    engine.add(ask(picture(), *words(30)), ask(picture(2)))
    engine.step()

    stats = engine.scheduler.stats()

    assert (stats.running, stats.waiting, stats.decoding) == (2, 1, 1)
    assert stats.chosen_tokens == 2
    assert stats.tokens_per_s == 0.4
    assert stats.cache.sequences == 2
    assert stats.pictures.misses == 1
