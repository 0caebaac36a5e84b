"""What the vision tower is taught directly: dense labels for every merged image token.

These heads exist only while training; the shipped model does not carry them. A merged token is a
32 x 32 pixel cell; N of them make a picture, row by row. Letters: B pictures, N tokens, H width.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from inference.demo.drawing import COLOURS, PLACES, SHAPES, WORDS, Box, Scene

CELL_PX: Final = 32
BINS: Final = 26
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
KINDS: Final = ("shapes", "text", "photo", "empty")
IGNORED: Final = -100
_COLOURS: Final = tuple(COLOURS)
# Classes of each head; "no object" or "no letter" is always the last class.
TOKEN_HEADS: Final[dict[str, int]] = {
    "row": 6,
    "column": 6,
    "shape": len(SHAPES) + 1,
    "colour": len(_COLOURS) + 1,
    "place": len(PLACES) + 1,
    "anchor": 2,
    **dict.fromkeys(("left", "top", "right", "bottom"), BINS),
    **{f"letter{half}": len(LETTERS) + 1 for half in (0, 1)},
    **{f"index{half}": 6 for half in (0, 1)},
}
PICTURE_HEADS: Final[dict[str, int]] = {
    "kind": len(KINDS),
    "count": 5,
    "word": len(WORDS) + 1,
    "text_colour": len(_COLOURS) + 1,
    **{f"digit{slot}": 11 for slot in range(3)},
    **{f"of_{shape}": 5 for shape in SHAPES},
    **{f"in_{colour}": 5 for colour in _COLOURS},
}
HAS_NONE: Final = ("shape", "colour", "place", "letter", "index", "digit", "word", "text_colour")
Labels = dict[str, NDArray[np.int64]]


def overlap(cell: Box, box: Box) -> float:
    """Share of a cell that a box covers."""
    wide = min(cell[2], box[2]) - max(cell[0], box[0])
    high = min(cell[3], box[3]) - max(cell[1], box[1])
    return max(0.0, wide) * max(0.0, high) / ((cell[2] - cell[0]) * (cell[3] - cell[1]))


def _label_things(scene: Scene, cells: Sequence[Box], labels: Labels) -> None:
    for n, cell in enumerate(cells):
        shares = [overlap(cell, thing.box) for thing in scene.things]
        if not shares or max(shares) < 0.06:
            continue
        thing = scene.things[int(np.argmax(shares))]
        labels["shape"][n] = SHAPES.index(thing.shape)
        labels["colour"][n] = _COLOURS.index(thing.colour)
        labels["place"][n] = PLACES.index(thing.place)
        for side, edge in zip(("left", "top", "right", "bottom"), thing.box, strict=True):
            labels[side][n] = min(BINS - 1, max(0, round(edge * (BINS - 1))))
        x, y = (thing.box[0] + thing.box[2]) / 2, (thing.box[1] + thing.box[3]) / 2
        labels["anchor"][n] = int(cell[0] <= x < cell[2] and cell[1] <= y < cell[3])


def _label_letters(scene: Scene, columns: int, rows: int, labels: Labels) -> None:
    for index, (letter, box) in enumerate(zip(scene.text, scene.letters, strict=True)):
        x, y = (box[0] + box[2]) / 2 * columns, (box[1] + box[3]) / 2 * rows
        column, row = min(columns - 1, max(0, int(x))), min(rows - 1, max(0, int(y)))
        half = int(x - column >= 0.5)
        labels[f"letter{half}"][row * columns + column] = LETTERS.index(letter)
        labels[f"index{half}"][row * columns + column] = index


def label_tokens(scene: Scene) -> Labels:
    """Class of each merged token under each of TOKEN_HEADS: arrays of shape (N,)."""
    columns, rows = scene.size[0] // CELL_PX, scene.size[1] // CELL_PX
    count = columns * rows
    labels = {name: np.full(count, classes - 1) for name, classes in TOKEN_HEADS.items()}
    labels["row"], labels["column"] = np.divmod(np.arange(count), columns)
    labels["anchor"][:] = 0
    for side in ("left", "top", "right", "bottom"):
        labels[side][:] = IGNORED
    cells = [
        (c / columns, r / rows, (c + 1) / columns, (r + 1) / rows)
        for r in range(rows)
        for c in range(columns)
    ]
    _label_things(scene, cells, labels)
    if scene.text:
        _label_letters(scene, columns, rows, labels)
    if scene.kind == "photo":
        for name in ("shape", "colour", "place", "anchor"):
            labels[name][:] = IGNORED
    return labels


def label_picture(scene: Scene) -> dict[str, int]:
    """Class of the whole picture under each of PICTURE_HEADS; IGNORED where it has no meaning."""
    labels = dict.fromkeys(PICTURE_HEADS, IGNORED)
    labels["kind"] = KINDS.index(scene.kind)
    if scene.kind == "photo":
        return labels
    labels["count"] = len(scene.things)
    for shape in SHAPES:
        labels[f"of_{shape}"] = sum(thing.shape == shape for thing in scene.things)
    for colour in _COLOURS:
        labels[f"in_{colour}"] = sum(thing.colour == colour for thing in scene.things)
    labels["word"] = WORDS.index(scene.text) if scene.text in WORDS else len(WORDS)
    labels["text_colour"] = (*_COLOURS, "").index(scene.text_colour)
    digits = scene.text if scene.text.isdigit() else ""
    for slot in range(3):
        labels[f"digit{slot}"] = int(digits[slot]) if slot < len(digits) else 10
    return labels


class SupervisionHeads(nn.Module):
    """Linear read-outs of the merged tokens and of their mean; thrown away after training."""

    def __init__(self, width: int) -> None:
        """Make the heads for tokens of `width`."""
        super().__init__()
        self.token = nn.Linear(width, sum(TOKEN_HEADS.values()))
        self.picture = nn.Linear(width, sum(PICTURE_HEADS.values()))

    def forward(self, merged: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Logits by head name from merged tokens (B, N, H): (B * N, classes) and (B, classes)."""
        normed = F.rms_norm(merged, merged.shape[-1:])
        token = self.token(normed).flatten(0, 1).split(list(TOKEN_HEADS.values()), -1)
        picture = self.picture(normed.mean(1)).split(list(PICTURE_HEADS.values()), -1)
        return dict(zip(TOKEN_HEADS, token, strict=True)), dict(
            zip(PICTURE_HEADS, picture, strict=True)
        )


class SceneLabels:
    """Labels of a batch of scenes that share one grid, as tensors by head name."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        """Label every scene."""
        tokens, pictures = [label_tokens(s) for s in scenes], [label_picture(s) for s in scenes]
        self.token = {
            name: torch.from_numpy(np.concatenate([t[name] for t in tokens]))
            for name in TOKEN_HEADS
        }
        self.picture = {name: torch.tensor([p[name] for p in pictures]) for name in PICTURE_HEADS}


def _mean_loss(out: Tensor, wanted: Tensor, chosen: Tensor) -> Tensor:
    losses = F.cross_entropy(out, wanted.clamp(min=0), reduction="none")
    return (losses * chosen).sum() / chosen.sum().clamp(min=1)


def supervision_loss(
    logits: tuple[dict[str, Tensor], dict[str, Tensor]], labels: SceneLabels
) -> Tensor:
    """Sum over all heads of their mean cross-entropies (nats).

    Where the last class means "none", the places that have something and those that have nothing
    are averaged apart: letters are so rare among tokens that they would not be learnt otherwise.
    """
    total = logits[0]["row"].new_zeros(())
    for part, wanted in ((logits[0], labels.token), (logits[1], labels.picture)):
        for name, out in part.items():
            target = wanted[name]
            kept = target != IGNORED
            if not name.startswith(HAS_NONE):
                scale = 0.5 if name.startswith(("of_", "in_")) else 1.0
                total = total + scale * _mean_loss(out, target, kept)
                continue
            some = kept & (target != out.shape[-1] - 1)
            scale = 1.5 if name.startswith("letter") else 1.0
            total = total + scale * _mean_loss(out, target, some)
            total = total + 0.5 * _mean_loss(out, target, kept & ~some)
    return total


@torch.no_grad()
def supervision_accuracy(
    logits: tuple[dict[str, Tensor], dict[str, Tensor]], labels: SceneLabels
) -> dict[str, tuple[int, int]]:
    """Hits and tries by head; for shape, colour, place and letters only where there is one."""
    scores = {}
    for part, wanted in ((logits[0], labels.token), (logits[1], labels.picture)):
        for name, out in part.items():
            kept = wanted[name] != IGNORED
            if name.startswith(HAS_NONE):
                kept &= wanted[name] != out.shape[-1] - 1
            scores[name] = (int((out.argmax(-1) == wanted[name])[kept].sum()), int(kept.sum()))
    return scores
