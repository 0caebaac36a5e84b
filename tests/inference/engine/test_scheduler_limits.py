"""Cancelling, too little memory, failing steps: who ends, who waits, and who never notices."""

from __future__ import annotations

import pytest

from inference.engine.scheduler import SchedulerInvariantError
from inference.engine.sequence import PlacedPicture, Standing
from inference.errors import ErrorCode, InferenceError
from tests.inference.engine.fake_engine import Engine, ask, picture, start_answer, words


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.mark.parametrize("kind", ["vision", "text"])
def test_cancel_within_a_layer_lets_no_further_layer_run(engine: Engine, kind: str) -> None:
    asker = ask(picture(), *words(40))
    engine.add(asker)

    def cancel(running: str) -> None:
        asker.is_cancelled = asker.is_cancelled or running == kind

    engine.network.before_layer = cancel
    engine.run()

    assert len(engine.network.list_layers(kind)) == 1
    assert not asker.tokens
    assert [end.error for end in asker.ends] == [None]


def test_cancel_while_waiting_ends_without_work(engine: Engine) -> None:
    asker = ask(1, 2)
    engine.add(asker)
    asker.is_cancelled = True

    engine.run()

    assert len(asker.ends) == 1
    assert engine.network.log == []


@pytest.mark.parametrize("parts", [[picture()], words(40)], ids=["vision", "text"])
def test_cancel_of_a_newcomer_is_told_between_two_layers_of_others(
    engine: Engine, parts: list[int | PlacedPicture]
) -> None:
    reader, newcomer = ask(*parts), ask(1, 2)
    newcomer.is_cancelled = True
    engine.add(reader)
    arrived = [newcomer.sequence]
    told: list[int] = []
    engine.network.before_layer = lambda _: told.append(len(newcomer.ends))

    engine.scheduler.step(lambda: engine.scheduler.add(arrived.pop()) if arrived else None)

    assert told[:2] == [0, 1]
    engine.run()
    assert len(newcomer.ends) == 1
    assert reader.tokens == reader.expected(5)


def test_cancel_while_decoding_ends_within_a_token(engine: Engine) -> None:
    asker = start_answer(engine)
    asker.is_cancelled = True

    engine.step()

    assert asker.has_ended
    assert len(asker.tokens) == 1


def test_cancelled_prompt_does_not_stop_the_answers_in_the_same_step(engine: Engine) -> None:
    writer = start_answer(engine, max_tokens=12)
    reader = ask(*words(60))
    engine.add(reader)
    engine.network.before_layer = lambda kind: setattr(reader, "is_cancelled", True)

    engine.run()

    assert writer.tokens == writer.expected(12)
    assert not reader.tokens
    assert len(reader.ends) == 1


def test_request_that_can_never_fit_is_refused_with_the_reason() -> None:
    engine = Engine(pages=2)
    asker = ask(*words(33))

    engine.add(asker)

    error = asker.ends[0].error
    assert isinstance(error, InferenceError)
    assert error.code == ErrorCode.CONTEXT_TOO_LONG
    assert "33" in error.message
    assert "32" in error.message
    assert not engine.scheduler.has_work


def test_request_that_does_not_fit_now_waits_for_its_turn() -> None:
    engine = Engine(pages=4)
    first, second = ask(*words(40), max_tokens=10), ask(*words(40, 2), max_tokens=10)
    engine.add(first, second)

    engine.run(lambda: first.has_ended)
    waited = second.sequence.standing
    engine.run()

    assert waited is Standing.WAITING
    assert second.tokens == second.expected(10)


def test_small_request_does_not_pass_an_earlier_one_that_waits_for_memory() -> None:
    engine = Engine(pages=4)
    big, waiting, small = ask(*words(40), max_tokens=20), ask(*words(40, 2)), ask(5)
    engine.add(big, waiting, small)

    engine.run(lambda: bool(small.tokens))

    assert big.has_ended
    assert waiting.tokens


def test_youngest_is_preempted_and_loses_nothing() -> None:
    engine = Engine(pages=4)
    old, young = ask(*words(10), max_tokens=40), ask(*words(10, 2), max_tokens=40)
    engine.add(old, young)
    standings = set()

    while engine.scheduler.has_work:
        standings.add((old.sequence.standing, young.sequence.standing))
        engine.step()

    assert (Standing.DECODING, Standing.WAITING) in standings
    assert (Standing.WAITING, Standing.DECODING) not in standings
    assert old.tokens == old.expected(40)
    assert young.tokens == young.expected(40)


def test_answer_that_fills_the_cache_ends_as_at_a_limit() -> None:
    engine = Engine(pages=2)
    asker = ask(*words(10), max_tokens=100)
    engine.add(asker)

    engine.run()

    assert asker.tokens == asker.expected(23)
    assert asker.ends[0].error is None


@pytest.mark.parametrize("kind", ["vision", "text"])
def test_failing_step_ends_those_it_concerns_and_nobody_later(engine: Engine, kind: str) -> None:
    def fail(running: str) -> None:
        if running == kind:
            raise RuntimeError("broken kernel")

    engine.network.before_layer = fail
    asker = ask(picture(), 1)
    engine.add(asker)
    engine.run()
    engine.network.before_layer = lambda kind: None
    later = ask(picture(), 1)
    engine.add(later)
    engine.run()

    assert [str(end.error) for end in asker.ends] == ["broken kernel"]
    assert later.tokens == later.expected(5)


def test_failing_tower_does_not_touch_running_answers(engine: Engine) -> None:
    writer = start_answer(engine, max_tokens=10)

    def fail(running: str) -> None:
        if running == "vision":
            raise RuntimeError("broken kernel")

    engine.network.before_layer = fail
    engine.add(ask(picture()))

    engine.run()

    assert writer.tokens == writer.expected(10)


def test_all_can_be_ended_with_one_error(engine: Engine) -> None:
    askers = [start_answer(engine), ask(picture()), ask(1)]
    engine.add(*askers[1:])

    engine.scheduler.end_all(InferenceError(ErrorCode.MODEL_UNAVAILABLE, "closing"))
    engine.scheduler.check_invariants()

    assert [len(asker.ends) for asker in askers] == [1, 1, 1]
    assert not engine.scheduler.has_work


def test_broken_books_are_noticed(engine: Engine) -> None:
    asker = start_answer(engine)
    asker.sequence.standing = Standing.ENCODING

    with pytest.raises(SchedulerInvariantError, match="tower"):
        engine.scheduler.check_invariants()
