"""Where a few attention heads of the text model are taught to look while it learns to converse.

Looking a named shape up among several is what a small model finds last by itself. The teacher
knows where everything stands, so it says which tokens those heads should attend to: the name in a
question at what it names, an answer at that name and at the shapes that it speaks of, and a
repeated question at the original. Only training knows of it. Letters: B conversations, T tokens.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from inference.demo.drawing import Box
from inference.demo.supervision import overlap

GazeKind = Literal["look_up", "refer", "copy", "tell"]
TAUGHT: Final[dict[GazeKind, tuple[int, tuple[int, ...]]]] = {
    "look_up": (1, (0, 3)),
    "refer": (2, (2, 5)),
    "copy": (2, (1, 4)),
    "tell": (3, (0, 3)),
}
"""Layer and query heads of each kind; one head of each group of keys, so that all values serve."""


@dataclass(frozen=True, slots=True)
class Gaze:
    """The token at place `at` of a conversation should attend to any of those at `on`."""

    kind: GazeKind
    at: int
    on: tuple[int, ...]


def cells_of(box: Box, columns: int, rows: int) -> list[int]:
    """Numbers, row by row, of the cells of a grid that a box covers most."""
    shares = [
        overlap((c / columns, r / rows, (c + 1) / columns, (r + 1) / rows), box)
        for r in range(rows)
        for c in range(columns)
    ]
    return [cell for cell, share in enumerate(shares) if share >= max(shares) / 2]


class GazeTargets:
    """The gazes of a batch as tensors: by kind the rows (n,), places (n,) and targets (n, T)."""

    def __init__(self, conversations: Sequence[Sequence[Gaze]], length: int) -> None:
        """Sort the gazes of each conversation by kind; `length` is T."""
        sorted_out: dict[GazeKind, list[tuple[int, Gaze]]] = defaultdict(list)
        for row, gazes in enumerate(conversations):
            for gaze in gazes:
                sorted_out[gaze.kind].append((row, gaze))
        self.by_kind: dict[GazeKind, tuple[Tensor, Tensor, Tensor]] = {}
        for kind, numbered in sorted_out.items():
            on = torch.zeros(len(numbered), length, dtype=torch.bool)
            for line, (_, gaze) in enumerate(numbered):
                on[line, list(gaze.on)] = True
            rows = torch.tensor([row for row, _ in numbered])
            self.by_kind[kind] = rows, torch.tensor([gaze.at for _, gaze in numbered]), on


class GazeLoss:
    """Gathers, layer by layer, how far the taught heads look past their targets (nats)."""

    def __init__(self, targets: GazeTargets) -> None:
        """Take a batch's targets; the loss starts at zero."""
        self._targets = targets
        self.total = torch.zeros(())

    def __call__(self, layer: int, queries: Tensor, keys: Tensor) -> None:
        """Add the loss of a layer with queries (B, heads, T, D) and keys (B, groups, T, D)."""
        for kind, (rows, places, on) in self._targets.by_kind.items():
            taught, heads = TAUGHT[kind]
            if taught != layer:
                continue
            later = torch.arange(on.shape[1]) > places[:, None]
            for head in heads:
                group = head * keys.shape[1] // queries.shape[1]
                scores = torch.einsum("nd,ntd->nt", queries[rows, head, places], keys[rows, group])
                scores = (scores / keys.shape[-1] ** 0.5).masked_fill(later, -torch.inf)
                missed = scores.logsumexp(-1) - scores.masked_fill(~on, -torch.inf).logsumexp(-1)
                self.total = self.total + missed.mean() / len(heads)
