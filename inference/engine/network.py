"""What the scheduler asks of the two networks: passes that run in pieces, and logits.

`ModelNetwork` is the real pair; tests bring their own. Calls come from the engine's thread alone.
Letters: V vocabulary, n rows asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from inference.engine.text import SequenceRows, TextModel
from inference.engine.vision import PictureFeatures, PicturePatches, VisionTower


class TextRun(Protocol):
    """Rows of several sequences on their way through the layers."""

    @property
    def layers(self) -> int:
        """Return how many layers the rows pass."""

    @property
    def layers_done(self) -> int:
        """Return how many they have passed."""

    def step(self, layers: int | None = None) -> bool:
        """Run some layers, or all that are left; return whether any are left."""

    def logits(self, rows: Sequence[int]) -> Tensor:
        """Return (n, V) float32 for n rows of the run; a sequence may have several."""


class VisionRun(Protocol):
    """Pictures on their way through the tower."""

    @property
    def layers(self) -> int:
        """Return how many layers the pictures pass."""

    @property
    def layers_done(self) -> int:
        """Return how many they have passed."""

    def step(self) -> bool:
        """Run a layer or a part of one; return whether anything is left."""

    def features(self) -> list[PictureFeatures]:
        """Return each picture's features, when no layers are left."""


class Network(Protocol):
    """Both networks of a model."""

    @property
    def vision_layers(self) -> int:
        """Return how many layers a run of the tower passes."""

    def start_text(self, rows: Sequence[SequenceRows]) -> TextRun:
        """Begin a run of the next rows of some sequences; a dropped run leaves nothing behind."""

    def start_vision(self, pictures: Sequence[PicturePatches]) -> VisionRun:
        """Begin to encode some pictures."""


class ModelNetwork:
    """The networks of a loaded checkpoint."""

    def __init__(self, text: TextModel, vision: VisionTower) -> None:
        """Take the two networks, which share weights and kernels."""
        self._text = text
        self._vision = vision

    @property
    def vision_layers(self) -> int:
        """Return the depth of the tower."""
        return self._vision.shape.depth

    def start_text(self, rows: Sequence[SequenceRows]) -> TextRun:
        """Begin a run; see `TextModel.start`."""
        return self._text.start(rows)

    def start_vision(self, pictures: Sequence[PicturePatches]) -> VisionRun:
        """Begin to encode; see `VisionTower.start`."""
        return self._vision.start(pictures)
