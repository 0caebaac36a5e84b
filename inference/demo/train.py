"""Train the demo model from nothing: `python -m inference.demo.train --out DIR --budget-s N`.

Stage one teaches the vision tower alone, stage two the whole model to converse. Each stage saves a
checkpoint every few minutes and goes on from it when started again with the same `--out`.
"""

import argparse
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from inference.demo.dialogue import Encoder
from inference.demo.export import export
from inference.demo.joint_stage import report_joint, train_joint
from inference.demo.network import (
    TEXT_WIDTH,
    Qwen3VLForConditionalGeneration,
    build_network,
    demo_config,
    vision_features,
)
from inference.demo.optimiser import build_optimisers
from inference.demo.schedule import Progress
from inference.demo.supervision import SupervisionHeads
from inference.demo.team import Team, run_team
from inference.demo.vision_stage import (
    HELD_OUT_SEED,
    GridPlans,
    draw_batch,
    report_vision,
    train_vision,
)
from inference.demo.vocabulary import SPECIAL_TOKENS, train_tokenizer

logger = logging.getLogger(__name__)
VISION_SHARE = 0.4
PLACEHOLDER = {
    name: index
    for index, name in enumerate(
        (
            "<|endoftext|>",
            "<|vision_start|>",
            "<|vision_end|>",
            "<|image_pad|>",
            "<|video_pad|>",
        )
    )
}


class Checkpoint:
    """One stage's file: weights of the named modules, optimiser states and progress."""

    def __init__(
        self, path: Path, modules: dict[str, nn.Module], optimisers: list[torch.optim.Optimizer]
    ) -> None:
        """Name what is saved and restored."""
        self.path, self.modules, self.optimisers = path, modules, optimisers

    def save(self, progress: Progress) -> None:
        """Write everything to a side file, then move it into place."""
        content: dict[str, Any] = {
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "progress": (progress.step, progress.seen, progress.spent_s),
        }
        side = self.path.with_suffix(".part")
        torch.save(content, side)
        os.replace(side, self.path)

    def load(self, progress: Progress | None = None, *, fresh: bool = False) -> bool:
        """Restore what the file holds; without `progress` only the weights. False if no file.

        `fresh` leaves the optimisers as they are, for a changed recipe.
        """
        if not self.path.exists():
            return False
        content = torch.load(self.path, weights_only=True)
        for name, module in self.modules.items():
            module.load_state_dict(content["modules"][name])
        if progress is not None:
            states = [] if fresh else content["optimisers"]
            for optimiser, state in zip(self.optimisers, states, strict=not fresh):
                peaks = [group["peak"] for group in optimiser.param_groups]
                optimiser.load_state_dict(state)
                for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                    group["peak"] = peak
            progress.step, progress.seen, progress.spent_s = content["progress"]
        return True


def run_vision_stage(args: argparse.Namespace, team: Team) -> None:
    """Stage one, from `vision.pt` in the output folder if that is there."""
    model = build_network(demo_config(PLACEHOLDER, 8), args.seed)
    heads = SupervisionHeads(TEXT_WIDTH)
    visual = model.model.visual
    optimisers = build_optimisers(
        {"visual": visual, "heads": heads}, lr=args.lr, muon_lr=args.muon_lr, team=team
    )
    progress = Progress(
        "vision", args.seed, args.batch, args.vision_s, max_steps=args.max_steps, team=team
    )
    progress.cooldown = 0.03
    checkpoint = Checkpoint(args.out / "vision.pt", {"visual": visual, "heads": heads}, optimisers)
    if checkpoint.load(progress):
        logger.info("vision goes on at step %d", progress.step)
    progress.save = lambda: checkpoint.save(progress)
    train_vision(model, heads, optimisers, progress)
    if team.is_lead:
        checkpoint.save(progress)
        report_vision(model, heads, GridPlans(model), batches=1 if args.smoke else 6)


def run_joint_stage(args: argparse.Namespace, team: Team) -> None:
    """Stage two, from `joint.pt` if that is there, else from the tower of stage one.

    Exports the weights at the end.
    """
    tokenizer = ready_tokenizer(args.out, team, conversations=200 if args.smoke else 5000)
    vocabulary = tokenizer.get_vocab()
    special = {name: vocabulary[name] for name in SPECIAL_TOKENS}
    model = build_network(demo_config(special, len(tokenizer)), args.seed)
    heads = SupervisionHeads(TEXT_WIDTH)
    first = Checkpoint(args.out / "vision.pt", {"visual": model.model.visual, "heads": heads}, [])
    first.load()
    calm_tower(model)
    optimisers = build_optimisers(
        {"model": model, "heads": heads},
        lr=args.joint_lr,
        muon_lr=args.joint_muon_lr,
        team=team,
        slowness={"model.model.visual": args.tower_rate},
    )
    progress = Progress(
        "joint", args.seed + 1, args.joint_batch, args.joint_s, max_steps=args.max_steps, team=team
    )
    progress.cooldown = 0.6
    checkpoint = Checkpoint(args.out / "joint.pt", {"model": model, "heads": heads}, optimisers)
    if checkpoint.load(progress, fresh=args.fresh_optimisers):
        logger.info("joint goes on at step %d", progress.step)
    progress.save = lambda: checkpoint.save(progress)
    encoder = Encoder(tokenizer)
    train_joint(model, heads, optimisers, progress, encoder)
    if team.is_lead:
        checkpoint.save(progress)
        report_joint(model, encoder, GridPlans(model), batches=1 if args.smoke else 8)
        export(model, tokenizer, args.out / "weights")


def ready_tokenizer(folder: Path, team: Team, *, conversations: int) -> PreTrainedTokenizerFast:
    """Give the tokenizer in the output folder, trained by the lead if it is not there yet."""
    place = folder / "tokenizer"
    if team.is_lead and not place.exists():
        train_tokenizer(conversations).save_pretrained(place)
    team.agree(0.0)
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(place)
    return tokenizer


@torch.no_grad()
def calm_tower(model: Qwen3VLForConditionalGeneration, wanted: float = 0.3) -> None:
    """Scale the merger's output to a root mean square near the text embeddings'.

    The heads of stage one read normalised tokens, so they do not notice.
    """
    _, patches = draw_batch(HELD_OUT_SEED, 0, 16, (128, 128))
    plans, visual = GridPlans(model), model.model.visual
    merged, _ = vision_features(visual, patches, plans[(128, 128)])
    scale = wanted / merged.pow(2).mean().sqrt()
    visual.merger.linear_fc2.weight.mul_(scale)
    visual.merger.linear_fc2.bias.mul_(scale)


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--budget-s", type=float, default=7200, help="wall time of both stages")
    parser.add_argument("--vision-s", type=float, default=None, help="instead of 40 % of it")
    parser.add_argument("--joint-s", type=float, default=None, help="instead of 60 % of it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--muon-lr", type=float, default=0.015)
    parser.add_argument("--joint-batch", type=int, default=12)
    parser.add_argument("--joint-lr", type=float, default=1.5e-3)
    parser.add_argument("--joint-muon-lr", type=float, default=0.01)
    parser.add_argument("--tower-rate", type=float, default=0.5)
    parser.add_argument("--fresh-optimisers", action="store_true")
    parser.add_argument("--max-steps", type=int, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="a few steps of each stage, no more")
    args = parser.parse_args(argv)
    args.vision_s = VISION_SHARE * args.budget_s if args.vision_s is None else args.vision_s
    args.joint_s = (1 - VISION_SHARE) * args.budget_s if args.joint_s is None else args.joint_s
    if args.smoke:
        args.workers, args.max_steps, args.batch, args.joint_batch = 1, 3, 4, 3
    return args


def run_stages(args: argparse.Namespace, team: Team) -> None:
    """Run the stages that are not finished yet, as one member of the team."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if args.vision_s > 0:
        run_vision_stage(args, team)
    run_joint_stage(args, team)


def main(argv: list[str]) -> None:
    """Train with as many processes as asked for."""
    args = parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    run_team(args.workers, args.out, partial(run_stages, args))


if __name__ == "__main__":
    main(sys.argv[1:])
