"""The bundled model as it is shipped: its files, and what it answers."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from inference.demo import WEIGHTS_DIR
from inference.demo.cases import THRESHOLDS, Case
from inference.demo.drawing import EXAMPLES, draw_plan
from inference.demo.evaluate import Examinee, Score, examine
from inference.demo.export import TEMPLATE, weights_sha256
from inference.demo.turns import Turn

MOST_BYTES = 12_000_000
DEMO = WEIGHTS_DIR.parent
FREE_KINDS = ("follow_up", "first", "chinese")
GRADED_KINDS = [kind for kind in THRESHOLDS if kind not in FREE_KINDS]


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return {score.kind: score for score in examine(WEIGHTS_DIR, 500)}


def test_weights_are_those_of_the_model_card() -> None:
    card = (DEMO / "MODEL_CARD.md").read_text()

    assert re.findall(r"\b[0-9a-f]{64}\b", card) == [weights_sha256(WEIGHTS_DIR)]


def test_weights_are_small() -> None:
    assert (WEIGHTS_DIR / "model.safetensors").stat().st_size <= MOST_BYTES


def test_shipped_template_is_the_one_in_the_source() -> None:
    assert (WEIGHTS_DIR / "chat_template.jinja").read_text() == TEMPLATE.read_text()


def test_recorded_figures_name_every_kind() -> None:
    recorded = json.loads((DEMO / "evaluation.json").read_text())

    assert set(recorded["kinds"]) == set(THRESHOLDS)


def test_stock_processor_loads_from_the_folder(tmp_path: Path) -> None:
    # Only now, since it cannot be imported before torchvision has been made importable.
    from transformers import AutoProcessor

    folder = shutil.copytree(WEIGHTS_DIR, tmp_path / "weights")
    load: Any = AutoProcessor.from_pretrained
    processor = load(folder, local_files_only=True)

    assert type(processor).__name__ == "Qwen3VLProcessor"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", GRADED_KINDS)
def test_answers_reach_the_threshold(kind: str, scores: dict[str, Score]) -> None:
    score = scores[kind]

    assert score.value >= score.threshold, f"{kind}: {score.value:.3f} of {score.n}"


@pytest.mark.slow
def test_screenshot_picture_is_described_rightly() -> None:
    size, plan = EXAMPLES[0]
    right = "A red circle at the top left, a blue square at the top right and a green star at the "
    case = Case("describe", (draw_plan(size, plan),), (Turn("describe", "What do you see?", ""),))

    assert Examinee(WEIGHTS_DIR).answer([case], 48) == [f"{right}bottom left."]
