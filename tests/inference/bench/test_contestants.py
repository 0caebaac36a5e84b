"""Our engine and transformers are asked for real; peers that cannot be installed are said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.bench.__main__ import Extent, main, run
from inference.bench.asks import ask_crowd, ask_first_word, ask_follow_up
from inference.bench.contestants import (
    LLAMA_Q4,
    LLAMA_Q8,
    OPENVINO_INT4,
    OPENVINO_INT8,
    OURS_INT8,
    TRANSFORMERS,
    Conditions,
    launch_ours,
    launch_peers,
)
from inference.bench.prompts import ask_about, ask_in_text, draw_picture, go_on
from inference.bench.schedule import Group
from inference.bench.worker import Worker
from inference.demo import WEIGHTS_DIR
from inference.engine import kernels
from inference.engine.kernels.portable import PortableKernels
from tests.inference.bench.conftest import OfflineInstall, launch_fake


def make_conditions(model: Path) -> Conditions:
    return Conditions(model=model, threads=1, people=2)


def test_one_run_measures_ours_beside_peers_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conditions = make_conditions(WEIGHTS_DIR)
    ours = launch_ours(conditions, tmp_path)[OURS_INT8]
    launches = {
        OURS_INT8: ours,
        LLAMA_Q8: launch_fake(),
        OPENVINO_INT8: launch_fake("fails-later"),
    }
    group = Group(
        name="of eight bits",
        members=tuple(launches),
        in_rounds=(ask_first_word, ask_follow_up),
        once=(ask_crowd,),
    )

    status = run(
        conditions,
        launches,
        {TRANSFORMERS: "left out"},
        extent=Extent(groups=(group,), rounds=1, tokens=2, drafted_rounds=1, drafted_tokens=8),
        folder=tmp_path,
    )

    said = capsys.readouterr().out
    summary = json.loads(said.splitlines()[-1])
    assert status == 0
    assert summary["reached"] is False
    assert summary["ratios"][f"first word against {LLAMA_Q8}"] > 0
    assert summary["ratios"]["first word against its int8 operations"] > 0
    assert summary["skipped"][f"first word against {TRANSFORMERS}"].endswith("left out")
    assert [problem.partition(":")[0] for problem in summary["problems"]] == [
        f"{OPENVINO_INT8}, round 1, ask_first_word"
    ]
    assert set(summary["figures"][OURS_INT8]) >= {"start_s", "first_s", "crowd_wall_s", "vision_s"}
    assert "GB/s" in said


def test_transformers_answers_with_as_many_tokens_as_asked(
    tiny_folder: Path, tmp_path: Path
) -> None:
    install = OfflineInstall(tmp_path, lambda _: None)
    launches, _ = launch_peers(make_conditions(tiny_folder), install)
    question = ask_about(draw_picture(tmp_path, 1, (64, 64)))

    with Worker(TRANSFORMERS, launches[TRANSFORMERS], log=tmp_path / "log", threads=1) as worker:
        [first] = worker.ask([question], 3)
        [second] = worker.ask([go_on(question, "Red.", "Why?")], 3)
        [in_text] = worker.ask([ask_in_text(1)], 3)

    assert (first.tokens, second.tokens) == (3, 3)
    assert second.prompt_tokens > first.prompt_tokens
    assert 0 < first.first_s <= first.total_s
    assert first.vision_s
    assert in_text.vision_s == 0


def test_peers_that_cannot_be_installed_are_said(tmp_path: Path) -> None:
    said: list[str] = []

    launches, missing = launch_peers(
        make_conditions(WEIGHTS_DIR), OfflineInstall(tmp_path, said.append)
    )

    assert set(launches) == {TRANSFORMERS}
    names = (LLAMA_Q8, LLAMA_Q4, OPENVINO_INT8, OPENVINO_INT4)
    assert missing == dict.fromkeys(names, "no network")
    assert f"  {LLAMA_Q8} is left out: no network" in said


def test_run_without_native_kernels_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "choose_kernels", lambda **_: PortableKernels())

    assert main(["--folder", str(tmp_path), "--quick"]) == 2

    assert "the machine cannot be probed" in capsys.readouterr().err


def test_run_without_a_model_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path), "--model", str(tmp_path)]) == 2

    assert "There is no model" in capsys.readouterr().err
