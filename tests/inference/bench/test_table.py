"""Rows judge ratios of what was measured side by side, and say what was not measured."""

from __future__ import annotations

import pytest

from inference.bench.contestants import LLAMA_Q8, OPENVINO_INT8, OURS_INT8, PEERS, TRANSFORMERS
from inference.bench.probes import Probe
from inference.bench.results import Measured, Results
from inference.bench.table import Floors, Row, format_table, judge, summarize
from tests.inference.bench.conftest import PEAK_OPS_S, STREAMING_BYTES_S

FLOORS = Floors(vision_ops=10**12, first_word_ops=2 * 10**12, token_bytes=10**9)
PROBE = Probe(STREAMING_BYTES_S, PEAK_OPS_S)


def measure(
    contestant: str, figure: str, *values: float, group: str = "a", probe: Probe = PROBE
) -> list[Measured]:
    """Return one figure of several rounds."""
    return [
        Measured(group, number, contestant, figure, value, probe)
        for number, value in enumerate(values, start=1)
    ]


def find_row(results: Results, name: str) -> Row:
    """Return one row, judged without drafts and with all peers there."""
    rows = judge(results, FLOORS, {}, {})
    return next(row for row in rows if row.name == name)


def test_ratio_is_taken_within_each_round() -> None:
    # The machine was twice as slow in the second round, for both.
    results = Results(
        [*measure(OURS_INT8, "first_s", 3, 6, 3), *measure(LLAMA_Q8, "first_s", 10, 20, 10)]
    )

    row = find_row(results, f"first word against {LLAMA_Q8}")

    assert row.ratio == pytest.approx(0.3)
    assert row.is_reached


def test_figures_of_different_groups_are_not_compared() -> None:
    results = Results(
        [
            *measure(OURS_INT8, "first_s", 3, group="a"),
            *measure(TRANSFORMERS, "first_s", 10, group="b"),
        ]
    )

    assert find_row(results, f"first word against {TRANSFORMERS}").ratio is None


@pytest.mark.parametrize(
    ("ours", "is_reached"),
    [pytest.param(12.6, True, id="over"), pytest.param(12.4, False, id="under")],
)
def test_speed_has_to_be_at_least_the_goal(ours: float, is_reached: bool) -> None:
    results = Results(
        [
            *measure(OURS_INT8, "decode_tokens_per_s", ours),
            *measure(LLAMA_Q8, "decode_tokens_per_s", 10),
        ]
    )

    assert find_row(results, f"decode against {LLAMA_Q8}").is_reached is is_reached


def test_floor_follows_the_probe_of_the_same_moment() -> None:
    slow = Probe(STREAMING_BYTES_S, PEAK_OPS_S / 2)
    results = Results(
        [*measure(OURS_INT8, "first_s", 3), *measure(OURS_INT8, "first_s", 6, probe=slow)]
    )

    row = find_row(results, "first word against its int8 operations")

    assert row.ratio == pytest.approx(1.5)


def test_decoding_is_held_against_reading_the_weights() -> None:
    results = Results(measure(OURS_INT8, "decode_tokens_per_s", 18))

    row = find_row(results, "decode against streaming the weights")

    assert row.peer == pytest.approx(20)
    assert row.ratio == pytest.approx(0.9)


def test_most_memory_of_all_groups_counts() -> None:
    results = Results(
        [
            *measure(OURS_INT8, "peak_bytes", 3e9, group="a"),
            *measure(OURS_INT8, "peak_bytes", 3.5e9, group="b"),
        ]
    )

    assert not find_row(results, "peak memory, GB against the limit").is_reached


def test_missing_peer_is_said_and_its_rows_are_not_reached() -> None:
    results = Results(measure(OURS_INT8, "first_s", 3))

    rows = judge(results, FLOORS, {}, {OPENVINO_INT8: "there is no package for this processor"})

    skipped = [row for row in rows if "no package" in row.reason]
    assert [row.figure for row in skipped] == [
        "first word",
        "vision tower",
        "decode",
        "8 people, wall",
        "8 people, first word",
    ]
    assert not any(row.is_reached for row in skipped)
    assert "skipped: OpenVINO int8: there is no package for this processor" in format_table(rows)


def test_drafts_are_judged_by_both_texts() -> None:
    rows = judge(Results(), FLOORS, {"repetitive": 1.9, "prose": 0.9}, {})

    drafts = {row.figure: row.is_reached for row in rows if row.figure.startswith("drafts")}
    assert drafts == {"drafts, repetitive": True, "drafts, prose": False}


def test_summary_says_what_is_short_and_why() -> None:
    results = Results(measure(OURS_INT8, "first_s", 3), ["OpenVINO int8, start: ended"])
    rows = judge(results, FLOORS, {}, dict.fromkeys(PEERS, "left out"))

    summary = summarize(rows, results)

    assert summary["reached"] is False
    assert summary["problems"] == ["OpenVINO int8, start: ended"]
    assert summary["figures"] == {OURS_INT8: {"first_s": 3}}
    assert summary["ratios"] == {"first word against its int8 operations": 1.5}
    assert f"first word against {LLAMA_Q8}" in summary["short"]
    assert summary["skipped"][f"first word against {LLAMA_Q8}"] == f"{LLAMA_Q8}: left out"


def test_all_is_reached_only_if_every_row_is() -> None:
    row = Row(figure="a", ours=1, against="b", peer=2, ratio=0.5, reach="≤ 1", is_reached=True)

    assert summarize([row], Results())["reached"] is True
