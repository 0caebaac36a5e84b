"""A network that computes everything, and then scores the next token of a given text highest.

Random weights write nothing that repeats as real answers do. So the passes are the model's own, and
what is chosen, and with it what becomes of drafts, is the text's. Letters: V vocabulary, n rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from inference.engine.network import Network, TextRun, VisionRun
from inference.engine.text import SequenceRows
from inference.engine.vision import PicturePatches


@dataclass
class DictatedNetwork:
    """Does what `network.Network` says, for one sequence at a time.

    `tokens` are prompt and answer; set them before a request.
    """

    network: Network
    tokens: Sequence[int] = field(default=())

    @property
    def vision_layers(self) -> int:
        """Return how many steps a run of the tower takes."""
        return self.network.vision_layers

    def start_text(self, rows: Sequence[SequenceRows]) -> TextRun:
        """Begin a run whose logits are the text's."""
        [only] = rows
        return DictatedRun(self.network.start_text(rows), self.tokens[only.first_index + 1 :])

    def start_vision(self, pictures: Sequence[PicturePatches]) -> VisionRun:
        """Begin to encode some pictures."""
        return self.network.start_vision(pictures)


@dataclass(frozen=True, slots=True)
class DictatedRun:
    """A run of the real network; `following` are the tokens behind each of its rows."""

    run: TextRun
    following: Sequence[int]

    @property
    def layers(self) -> int:
        """Return how many layers the rows pass."""
        return self.run.layers

    @property
    def layers_done(self) -> int:
        """Return how many they have passed."""
        return self.run.layers_done

    def step(self, layers: int | None = None) -> bool:
        """Run some layers, or all that are left; return whether any are left."""
        return self.run.step(layers)

    def logits(self, rows: Sequence[int]) -> Tensor:
        """Return (n, V) float32: computed, then those of the dictated tokens raised.

        A row behind the end of the text, of a draft, keeps what was computed.
        """
        logits = self.run.logits(rows)
        for score, row in zip(logits, rows, strict=True):
            if row < len(self.following):
                score[self.following[row]] = torch.inf
        return logits
