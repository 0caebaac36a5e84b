"""How much fits into a step, learnt from the steps before."""

from __future__ import annotations

import pytest

from inference.engine.pace import FIRST_ROWS, GAP_TARGET_S, MAX_ROWS, MIN_ROWS, Pace


def make_pace(*, row_s: float, decode_s: float = 0.05, layer_s: float = 0.02) -> Pace:
    """Return a pace that has seen a few steps of a machine."""
    pace = Pace()
    for _ in range(20):
        pace.note_step(decoding=1, prompt_rows=0, took_s=decode_s)
        pace.note_step(decoding=1, prompt_rows=50, took_s=decode_s + 50 * row_s)
        pace.note_part(layer_s)
    return pace


def test_first_step_is_small() -> None:
    assert Pace().prompt_rows(3, is_shared=False) == FIRST_ROWS


def test_rows_fill_what_the_running_answers_leave_of_a_step() -> None:
    rows = make_pace(row_s=0.002).prompt_rows(1, is_shared=False)

    assert 0.05 + rows * 0.002 == pytest.approx(GAP_TARGET_S, abs=0.005)


def test_more_is_read_while_nobody_waits_for_a_token() -> None:
    pace = make_pace(row_s=0.002)

    assert pace.prompt_rows(0, is_shared=False) > 2 * pace.prompt_rows(1, is_shared=False)


def test_half_of_what_is_left_belongs_to_the_tower_when_a_step_is_shared() -> None:
    pace = make_pace(row_s=0.002)

    shared, own = (pace.prompt_rows(1, is_shared=shared) for shared in (True, False))

    assert shared == pytest.approx(own / 2, abs=1)


def test_room_is_left_for_one_part_of_a_layer_however_long_it_takes() -> None:
    pace = make_pace(row_s=0.002, layer_s=0.12)

    rows = pace.prompt_rows(1, is_shared=True)

    assert 0.05 + 0.12 + rows * 0.002 == pytest.approx(GAP_TARGET_S, abs=0.005)


@pytest.mark.parametrize(
    ("row_s", "rows"), [(1.0, MIN_ROWS), (0.000_01, MAX_ROWS)], ids=["slow", "fast"]
)
def test_rows_stay_between_their_bounds(row_s: float, rows: int) -> None:
    assert make_pace(row_s=row_s).prompt_rows(1, is_shared=False) == rows


def test_layers_go_on_as_long_as_they_fit() -> None:
    pace = make_pace(row_s=0.002, layer_s=0.04)

    assert pace.has_time_for_part(1, elapsed_s=GAP_TARGET_S - 0.05)
    assert not pace.has_time_for_part(1, elapsed_s=GAP_TARGET_S - 0.03)
    assert pace.has_time_for_part(0, elapsed_s=GAP_TARGET_S - 0.03)


def test_pace_follows_a_machine_that_becomes_slower() -> None:
    pace = make_pace(row_s=0.001)
    before = pace.prompt_rows(1, is_shared=False)

    for _ in range(20):
        pace.note_step(decoding=1, prompt_rows=50, took_s=0.05 + 50 * 0.004)

    assert pace.prompt_rows(1, is_shared=False) < before / 3


def test_few_rows_do_not_say_what_many_cost() -> None:
    pace = Pace()

    # A reading of all weights, as the warm-up's: 28 ms for each of its rows.
    pace.note_step(decoding=0, prompt_rows=3, took_s=0.085)

    assert pace.prompt_rows(0, is_shared=False) == FIRST_ROWS


def test_fixed_rows_are_kept_whatever_was_learnt() -> None:
    pace = Pace(rows=7)
    pace.note_step(decoding=1, prompt_rows=7, took_s=9.0)

    assert pace.prompt_rows(1, is_shared=True) == 7
