"""Members of a group take turns, and one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inference.bench.asks import ALONE, Questions, ask_crowd, ask_crowd_in_text, ask_first_word
from inference.bench.schedule import Bench, Group
from inference.bench.worker import Launch
from tests.inference.bench.conftest import SteadyProber, launch_fake


def make_bench(folder: Path, launches: Mapping[str, Launch], rounds: int = 1) -> Bench:
    questions = Questions(pictures=folder / "pictures", tokens=4, people=3)
    return Bench(
        launches=launches,
        prober=SteadyProber(),
        folder=folder,
        threads=1,
        rounds=rounds,
        questions=questions,
        say=lambda _: None,
    )


def test_every_second_round_turns_the_order_about(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, {"a": launch_fake(), "b": launch_fake()}, rounds=2)

    bench.run([Group(name="both", members=("a", "b"), in_rounds=(ask_first_word,))])

    turns = [m.contestant for m in bench.results.measured if m.figure == "first_s"]
    assert turns == ["a", "b", "b", "a"]


def test_every_figure_of_a_contestant_is_measured(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, {"a": launch_fake()})

    bench.run(
        [Group(name="all", members=("a",), in_rounds=ALONE, once=(ask_crowd, ask_crowd_in_text))]
    )

    assert bench.results.problems == []
    assert {m.figure: m.value for m in bench.results.measured} == {
        "start_s": bench.results.median("a", "start_s"),
        "prompt_tokens": 100,
        "first_s": 0.5,
        "vision_s": 0.25,
        "decode_tokens_per_s": 10,
        "follow_up_first_s": 0.5,
        "same_picture_first_s": 0.5,
        "prefill_tokens_per_s": 200,
        "crowd_wall_s": 2.5,
        "crowd_first_s": 0.5,
        "alone_tokens_per_s": 10,
        "crowd_tokens_per_s": 6,
        "peak_bytes": bench.results.median("a", "peak_bytes"),
    }


def test_contestant_that_crashes_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    launches = {
        "a": launch_fake(),
        "fails": launch_fake("dies-at-once"),
        "none": launch_fake("dies-at-start"),
    }
    bench = make_bench(tmp_path, launches, rounds=2)

    bench.run([Group(name="all", members=tuple(launches), in_rounds=(ask_first_word,))])

    assert {m.contestant for m in bench.results.measured} == {"a"}
    assert sum(m.figure == "first_s" for m in bench.results.measured) == 2
    [first, second] = bench.results.problems
    assert first.startswith("fails, start: ended; the last of its log:")
    assert "there is no model" in second


def test_contestant_that_fails_in_a_round_leaves_its_group(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, {"a": launch_fake(), "b": launch_fake("fails-later")}, rounds=2)

    bench.run([Group(name="both", members=("a", "b"), in_rounds=(ask_first_word,))])

    turns = [m.contestant for m in bench.results.measured if m.figure == "first_s"]
    assert turns == ["a", "a"]
    assert len(bench.results.problems) == 1
    assert "b, round 1, ask_first_word" in bench.results.problems[0]


def test_contestant_that_is_not_installed_is_not_started(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, {"a": launch_fake()})

    bench.run([Group(name="both", members=("a", "b"), in_rounds=())])

    assert {m.contestant for m in bench.results.measured} == {"a"}
    assert bench.results.problems == []


def test_first_start_that_fails_is_reported(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, {"a": launch_fake("dies-at-start")})

    bench.start_once("a")

    assert bench.results.problems[0].startswith("a, first start: ended")
