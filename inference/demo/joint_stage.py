"""Stage two: the whole model learns to converse, while the dense labels keep the tower sharp."""

import logging
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.demo.dialogue import Encoded, Encoder, TextBatch, converse, encode, picture_tokens
from inference.demo.drawing import Scene
from inference.demo.gaze import GazeLoss
from inference.demo.network import Qwen3VLForConditionalGeneration, text_hidden, vision_features
from inference.demo.schedule import Progress
from inference.demo.supervision import SceneLabels, SupervisionHeads, supervision_loss
from inference.demo.vision_stage import (
    HELD_OUT_SEED,
    TOWER_SHARES,
    GridPlans,
    draw_batch,
    draw_grid,
)

logger = logging.getLogger(__name__)
BUDGETS: Final = (80, 120, 190)
"""Tokens that a step's conversations are cut to, one drawn for each step."""
TOWER_WEIGHT: Final = 0.25
GAZE_WEIGHT: Final = 0.1
EXTRA_FROM: Final = 50_000_000
"""Index of the first picture that only the tower sees."""
GROUPS: Final = 3
"""Conversations of a step, sorted by length, go through the text model in this many groups."""


@dataclass(slots=True)
class JointBatch:
    """Pictures of one grid and the conversations about them."""

    scenes: list[Scene]
    patches: Tensor
    texts: list[TextBatch]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every picture, in pixels."""
        return self.scenes[0].size


def join_batch(encoder: Encoder, *, seed: int, first: int, count: int, step: int) -> JointBatch:
    """Draw `count` pictures from index `first` and conversations that show each of them once."""
    size = draw_grid(seed, step)
    scenes, patches = draw_batch(seed, first, count, size)
    budget = random.Random(f"budget {seed} {step}").choice(BUDGETS)
    rng = random.Random(f"talk {seed} {first}")
    numbered = list(enumerate(scenes))
    talks = []
    while numbered:
        pair = 2 if len(numbered) > 1 and rng.random() < 0.05 else 1
        talks.append(converse(rng, numbered[:pair], encoder, budget))
        numbered = numbered[pair:]
        if rng.random() < 0.06:
            talks.append(converse(rng, [], encoder, budget))
    encoded = [encode(encoder, talk, lambda _: size) for talk in talks]
    return JointBatch(scenes, patches, group_by_length(encoded, encoder))


def group_by_length(
    encoded: Sequence[Encoded], encoder: Encoder, groups: int = GROUPS
) -> list[TextBatch]:
    """Batches of conversations of like length, so that little is spent on padding."""
    ordered = sorted(encoded, key=lambda e: len(e.ids))
    chunk = math.ceil(len(ordered) / groups)
    return [TextBatch(ordered[k : k + chunk], encoder) for k in range(0, len(ordered), chunk)]


def answer_logits(
    model: Qwen3VLForConditionalGeneration,
    text: TextBatch,
    merged: Tensor,
    deep: Sequence[Tensor],
    gaze: GazeLoss | None = None,
) -> Tensor:
    """Logits (places, vocabulary) at the places of a batch that predict answers.

    `merged` and each of `deep` are vision features (pictures, N, H) that the batch refers to;
    `gaze` gathers where the taught heads look.
    """
    language = model.model.language_model
    embeds = language.embed_tokens(text.ids)
    width = embeds.shape[-1]
    keep = torch.ones(text.ids.numel(), 1)
    keep[text.spots] = 0.0
    flat = embeds.view(-1, width) * keep
    if text.pictures:
        flat = flat.index_add(0, text.spots, picture_tokens(merged, text))
        deep = [picture_tokens(d, text) for d in deep]
    hidden = text_hidden(
        language,
        flat.view_as(embeds),
        text.positions,
        deep=(text.spots, deep),
        wanted=text.answer_spots,
        watch=gaze,
    )
    return F.linear(hidden, language.embed_tokens.weight)


def train_joint(
    model: Qwen3VLForConditionalGeneration,
    heads: SupervisionHeads,
    optimisers: Sequence[torch.optim.Optimizer],
    progress: Progress,
    encoder: Encoder,
) -> None:
    """Train everything until the progress says that its budget is spent."""
    plans = GridPlans(model)
    while progress.next_step(optimisers):
        batch = join_batch(
            encoder,
            seed=progress.seed,
            first=progress.first,
            count=progress.batch,
            step=progress.step,
        )
        # As many pictures again are shown to the tower only: letters need many, and cost little.
        first = EXTRA_FROM + progress.first
        extra, patches = draw_batch(progress.seed, first, progress.batch, batch.size, TOWER_SHARES)
        patches = torch.cat((batch.patches, patches))
        merged, deep = vision_features(model.model.visual, patches, plans[batch.size])
        talk, gazes = torch.zeros(()), torch.zeros(())
        for text in batch.texts:
            gaze = GazeLoss(text.gazes)
            logits = answer_logits(model, text, merged, deep, gaze)
            gazes = gazes + gaze.total / len(batch.texts)
            losses = F.cross_entropy(logits, text.targets, reduction="none")
            talk = talk + (losses * text.weights).sum()
        talk = talk / sum(float(text.weights.sum()) for text in batch.texts)
        tower = supervision_loss(heads(merged), SceneLabels([*batch.scenes, *extra]))
        torch.autograd.backward(talk + TOWER_WEIGHT * tower + GAZE_WEIGHT * gazes)
        progress.record(talk=talk.item(), tower=tower.item(), gaze=gazes.item())
        if progress.is_report_due():
            report_joint(model, encoder, plans)


def exact_answers(text: TextBatch, logits: Tensor) -> list[tuple[str, bool]]:
    """Kind of each answer, and whether each of its tokens was the likeliest one."""
    right = torch.zeros(text.ids.numel(), dtype=torch.bool)
    right[text.answer_spots + 1] = logits.argmax(-1) == text.targets
    right = right.view(text.ids.shape)
    return [
        (kind, bool(right[row, first:last].all()))
        for row, encoded in enumerate(text.encoded)
        for kind, first, last in encoded.answers
    ]


@torch.no_grad()
def report_joint(
    model: Qwen3VLForConditionalGeneration, encoder: Encoder, plans: GridPlans, batches: int = 8
) -> dict[str, float]:
    """Log and return the share of exactly right answers of each kind on held-out conversations.

    An answer counts when every token of it, given those before, is the most likely one.
    """
    hits, tries = Counter[str](), Counter[str]()
    for number in range(batches):
        batch = join_batch(encoder, seed=HELD_OUT_SEED, first=number * 40, count=40, step=number)
        merged, deep = vision_features(model.model.visual, batch.patches, plans[batch.size])
        for text in batch.texts:
            for kind, right in exact_answers(text, answer_logits(model, text, merged, deep)):
                hits[kind] += right
                tries[kind] += 1
    shares = {kind: hits[kind] / tries[kind] for kind in sorted(tries)}
    listing = " ".join(f"{kind} {share:.3f}/{tries[kind]}" for kind, share in shares.items())
    logger.info("held out %s all %.3f", listing, sum(hits.values()) / sum(tries.values()))
    return shares
