"""Stage one: the vision tower alone, taught by dense labels, many pictures a second."""

import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from inference.demo.drawing import GRIDS, KIND_SHARES, Kind, Scene, draw_scene
from inference.demo.network import (
    GridPlan,
    Qwen3VLForConditionalGeneration,
    patchify,
    vision_features,
)
from inference.demo.schedule import Progress
from inference.demo.supervision import (
    SceneLabels,
    SupervisionHeads,
    supervision_accuracy,
    supervision_loss,
)

logger = logging.getLogger(__name__)
HELD_OUT_SEED: Final = 900
TOWER_SHARES: Final[dict[Kind, float]] = {
    "shapes": 0.40,
    "text": 0.52,
    "photo": 0.05,
    "empty": 0.03,
}
"""What the tower alone is shown: more writing than later, since letters take longest to learn."""


class GridPlans:
    """The plans of all grids, made on first use."""

    def __init__(self, model: Qwen3VLForConditionalGeneration) -> None:
        """Keep the model's tower for later."""
        self._visual = model.model.visual
        self._plans: dict[tuple[int, int], GridPlan] = {}

    def __getitem__(self, size: tuple[int, int]) -> GridPlan:
        """Give the plan of a size (width, height)."""
        if size not in self._plans:
            self._plans[size] = GridPlan(size, self._visual)
        return self._plans[size]


def draw_batch(
    seed: int,
    first: int,
    count: int,
    size: tuple[int, int],
    shares: Mapping[Kind, float] = KIND_SHARES,
) -> tuple[list[Scene], Tensor]:
    """`count` scenes of one size and their patches (count, P, 768) in -1..1."""
    scenes, patches = [], []
    for index in range(first, first + count):
        roll = random.Random(f"kind {seed} {index}")
        kind = roll.choices(list(shares), list(shares.values()))[0]
        scene, image = draw_scene(seed, index, kind=kind, size=size)
        scenes.append(scene)
        patches.append(patchify(image))
    return scenes, torch.from_numpy(np.stack(patches)).float() / 127.5 - 1.0


def draw_grid(seed: int, step: int) -> tuple[int, int]:
    """Give the grid that all pictures of one training step share."""
    rng = random.Random(f"grid {seed} {step}")
    return rng.choices(list(GRIDS), list(GRIDS.values()))[0]


def train_vision(
    model: Qwen3VLForConditionalGeneration,
    heads: SupervisionHeads,
    optimisers: Sequence[torch.optim.Optimizer],
    progress: Progress,
) -> None:
    """Train tower and heads until the progress says that its budget is spent."""
    visual, plans = model.model.visual, GridPlans(model)
    while progress.next_step(optimisers):
        size = draw_grid(progress.seed, progress.step)
        scenes, patches = draw_batch(
            progress.seed, progress.first, progress.batch, size, TOWER_SHARES
        )
        merged, _ = vision_features(visual, patches, plans[size])
        loss = supervision_loss(heads(merged), SceneLabels(scenes))
        torch.autograd.backward(loss)
        progress.record(loss=loss.item())
        if progress.is_report_due():
            report_vision(model, heads, plans)


@torch.no_grad()
def report_vision(
    model: Qwen3VLForConditionalGeneration,
    heads: SupervisionHeads,
    plans: GridPlans,
    batches: int = 6,
) -> dict[str, float]:
    """Log and return the accuracy of each head on fixed held-out pictures."""
    hits, tries = Counter[str](), Counter[str]()
    for number in range(batches):
        size = (128, 128) if number % 2 == 0 else (128, 96)
        scenes, patches = draw_batch(HELD_OUT_SEED, number * 64, 64, size)
        merged, _ = vision_features(model.model.visual, patches, plans[size])
        scores = supervision_accuracy(heads(merged), SceneLabels(scenes))
        for name, (hit, tried) in scores.items():
            family = name.split("_")[0].rstrip("0123456789") if name != "text_colour" else name
            hits[family] += hit
            tries[family] += tried
    shares = {name: hits[name] / max(1, tries[name]) for name in tries}
    logger.info("vision %s", " ".join(f"{name} {share:.3f}" for name, share in shares.items()))
    return shares
