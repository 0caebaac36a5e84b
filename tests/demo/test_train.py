"""The trainer runs through both stages, goes on from its checkpoint and exports a model."""

from pathlib import Path

import pytest
import torch

from inference.demo.cases import talk_cases
from inference.demo.evaluate import Examinee
from inference.demo.optimiser import orthogonalise
from inference.demo.schedule import rate_factor
from inference.demo.train import main


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    stack = torch.randn(3, 24, 60, generator=torch.Generator().manual_seed(1))

    values = torch.linalg.svdvals(orthogonalise(stack))

    assert values.min() > 0.5
    assert values.max() < 1.3


@pytest.mark.parametrize(
    ("step", "spent", "factor"),
    [
        pytest.param(0, 0.0, 1 / 60, id="warm-up"),
        pytest.param(500, 0.3, 1.0, id="hold"),
        pytest.param(500, 0.75, 0.51, id="half way down"),
        pytest.param(500, 1.0, 0.02, id="end"),
    ],
)
def test_rate_warms_up_holds_and_falls(step: int, spent: float, factor: float) -> None:
    assert rate_factor(step, spent, cooldown=0.5) == pytest.approx(factor)


@pytest.mark.slow
def test_smoke_run_writes_a_model_that_loads_and_answers(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--smoke"])

    examinee = Examinee(tmp_path / "weights")
    answers = examinee.answer(talk_cases()[:1], 4)
    assert len(answers) == 1
    assert {"vision.pt", "joint.pt"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.slow
def test_second_run_finds_both_stages_finished(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--smoke"])
    before = torch.load(tmp_path / "joint.pt", weights_only=True)["progress"][0]

    main(["--out", str(tmp_path), "--smoke"])

    assert torch.load(tmp_path / "joint.pt", weights_only=True)["progress"][0] == before
