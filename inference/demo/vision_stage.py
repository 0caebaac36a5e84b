"""Stage one: the vision tower alone, taught by dense labels, many pictures a second."""

import logging
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from inference.demo.drawing import GRIDS, Scene, draw_scene
from inference.demo.network import (
    Qwen3VLForConditionalGeneration,
    GridPlan,
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
HELD_OUT_SEED = 900


class GridPlans:
    """The plans of all grids, made on first use."""

    def __init__(self, model: Qwen3VLForConditionalGeneration) -> None:
        self._visual = model.model.visual
        self._plans: dict[tuple[int, int], GridPlan] = {}

    def __getitem__(self, size: tuple[int, int]) -> GridPlan:
        if size not in self._plans:
            self._plans[size] = GridPlan(size, self._visual)
        return self._plans[size]


def draw_batch(
    seed: int, first: int, count: int, size: tuple[int, int]
) -> tuple[list[Scene], Tensor]:
    """`count` scenes of one size and their patches (count, P, 768) in -1..1."""
    scenes, patches = [], []
    for index in range(first, first + count):
        scene, image = draw_scene(seed, index, size=size)
        scenes.append(scene)
        patches.append(patchify(image))
    return scenes, torch.from_numpy(np.stack(patches)).float() / 127.5 - 1.0


def draw_grid(seed: int, step: int) -> tuple[int, int]:
    """The grid that all pictures of one training step share."""
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
        scenes, patches = draw_batch(progress.seed, progress.first, progress.batch, size)
        merged, _ = vision_features(visual, patches, plans[size])
        loss = supervision_loss(heads(merged), SceneLabels(scenes))
        loss.backward()
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
