"""Examine the shipped weights: `python -m inference.demo.evaluate [--pictures 500] [--json]`.

Pictures go through the stock processor and answers come from `generate`, greedily, as in the
product. Prints a table of kinds and, last, one line of JSON; takes about two minutes on two cores.
"""

import argparse
import json
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from inference.demo import WEIGHTS_DIR
from inference.demo.cases import THRESHOLDS, Case, all_cases
from inference.demo.drawing import Box
from inference.demo.network import Qwen3VLForConditionalGeneration, Qwen3VLProcessor
from inference.demo.questions import BOX_UNITS

logger = logging.getLogger(__name__)
BATCH: Final = 48
LONGEST: Final = {"describe": 48, "chinese": 64, "box": 72, "first": 40}
"""Most new tokens by kind; other answers are short, the refusal has 24."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one kind did: `n` cases, mean value (exactness or overlap), the threshold."""

    kind: str
    n: int
    value: float

    @property
    def threshold(self) -> float:
        """What the value must reach."""
        return THRESHOLDS[self.kind]

    @property
    def is_reached(self) -> bool:
        """Whether it does."""
        return self.value >= self.threshold


class Examinee:
    """The model and its processor, loaded from a folder as any Qwen3-VL is."""

    def __init__(self, folder: Path) -> None:
        """Load the model in float32 and its processor."""
        self.processor = Qwen3VLProcessor.from_pretrained(folder, local_files_only=True)
        self.model = Qwen3VLForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True
        )
        torch.nn.Module.eval(self.model)

    @torch.inference_mode()
    def answer(self, cases: Sequence[Case], longest: int) -> list[str]:
        """Greedy answers to a batch of cases, special tokens dropped."""
        inputs: Any = self.processor.apply_chat_template(
            [case.messages() for case in cases],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "left"},
        )
        output = self.model.generate(**inputs, max_new_tokens=longest, do_sample=False)
        new = output[:, inputs["input_ids"].shape[1] :]
        decode: Any = self.processor.batch_decode
        texts: list[str] = decode(new, skip_special_tokens=True)
        return texts


def overlap(answer: str, box: Box) -> float:
    """Intersection over union of the first box in a fenced JSON answer with `box` (fractions)."""
    try:
        body = answer.removeprefix("```json").removesuffix("```")
        corners: list[float] = [edge / BOX_UNITS for edge in json.loads(body)[0]["bbox_2d"]]
        left, top, right, bottom = corners
    except (ValueError, KeyError, IndexError, TypeError):
        return 0.0
    wide = max(0.0, min(right, box[2]) - max(left, box[0]))
    high = max(0.0, min(bottom, box[3]) - max(top, box[1]))
    areas = (right - left) * (bottom - top) + (box[2] - box[0]) * (box[3] - box[1])
    return wide * high / max(1e-9, areas - wide * high)


def grade(case: Case, answer: str) -> float:
    """One or nought for an exact answer; for a box its overlap with the true one."""
    if case.boxes:
        return overlap(answer, case.boxes[0])
    return float(answer == case.answer)


def _batches(cases: Sequence[Case]) -> Iterator[list[Case]]:
    """Cases of one kind and one number of pictures, so that little is padded."""
    groups: dict[tuple[str, int], list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.kind, len(case.images)].append(case)
    for group in groups.values():
        for start in range(0, len(group), BATCH):
            yield group[start : start + BATCH]


def examine(
    folder: Path, pictures: int, *, wrong: list[tuple[Case, str]] | None = None
) -> list[Score]:
    """Scores of every kind, in the order of THRESHOLDS; wrong answers are added to `wrong`."""
    examinee, grades = Examinee(folder), defaultdict[str, list[float]](list)
    for batch in _batches(all_cases(pictures)):
        answers = examinee.answer(batch, LONGEST.get(batch[0].kind, 32))
        for case, answer in zip(batch, answers, strict=True):
            grades[case.kind].append(grade(case, answer))
            if wrong is not None and grades[case.kind][-1] < 0.5:
                wrong.append((case, answer))
    return [
        Score(kind, len(grades[kind]), sum(grades[kind]) / len(grades[kind]))
        for kind in THRESHOLDS
        if grades[kind]
    ]


def summary(scores: Sequence[Score]) -> dict[str, Any]:
    """Give the closing line: whether all thresholds are reached, which are not, and all figures."""
    return {
        "reached": all(score.is_reached for score in scores),
        "short": [score.kind for score in scores if not score.is_reached],
        "kinds": {
            score.kind: {
                "n": score.n,
                "value": round(score.value, 4),
                "threshold": score.threshold,
            }
            for score in scores
        },
    }


def table(scores: Sequence[Score]) -> str:
    """Kinds, numbers of cases, values and thresholds as a Markdown table."""
    rows = ["| kind | n | value | threshold |", "|---|---|---|---|"]
    for score in scores:
        wanted = f"{score.threshold:.2f}" if score.threshold else "none"
        rows.append(f"| {score.kind} | {score.n} | {score.value:.3f} | {wanted} |")
    return "\n".join(rows)


def main(argv: Sequence[str]) -> int:
    """Print the table and the closing line; exit status 1 when a threshold is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--weights", type=Path, default=WEIGHTS_DIR)
    parser.add_argument("--json", action="store_true", help="print the closing line only")
    parser.add_argument("--wrong", type=int, default=0, help="list up to N wrong answers a kind")
    args = parser.parse_args(argv)
    torch.set_num_threads(2)
    started = time.monotonic()
    wrong: list[tuple[Case, str]] = []
    scores = examine(args.weights, args.pictures, wrong=wrong)
    lines = [] if args.json else [table(scores)]
    for kind in THRESHOLDS if args.wrong else ():
        for case, answer in [w for w in wrong if w[0].kind == kind][: args.wrong]:
            asked = " / ".join(turn.question for turn in case.turns)
            lines.append(f"{kind}: {asked!r} -> {answer!r}, not {case.answer!r}")
    closing = {**summary(scores), "seconds": round(time.monotonic() - started, 1)}
    sys.stdout.write("\n".join([*lines, json.dumps(closing)]) + "\n")
    return 0 if closing["reached"] else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
