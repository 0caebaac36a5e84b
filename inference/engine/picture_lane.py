"""The vision tower's work: the pictures of one sequence after the other, some layers at a time.

It knows which pictures are in work and how far; who comes next is the scheduler's decision. A
finished picture goes to its sequence and into the picture cache, so that the next sequence with
the same picture finds it there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from inference.engine.network import Network, VisionRun
from inference.engine.pace import Pace
from inference.engine.picture_cache import PictureCache
from inference.engine.sequence import EngineSequence, PicturesRead, PlacedPicture

MAX_BATCH_PATCHES = 4096
"""More patches at once save little time, and each takes 16 KiB while it passes a 2B tower."""


class PictureLane:
    """Encodes for at most one sequence at a time."""

    def __init__(
        self, network: Network, pictures: PictureCache, *, pace: Pace, clock: Callable[[], float]
    ) -> None:
        """Start with nothing to do."""
        self._network = network
        self._pictures = pictures
        self._pace = pace
        self._clock = clock
        self._batches: list[list[PlacedPicture]] = []
        self._batch = 0
        self._run: VisionRun | None = None
        self.sequence: EngineSequence | None = None

    def begin(self, sequence: EngineSequence, pictures: Sequence[PlacedPicture]) -> None:
        """Take on a sequence's pictures, at least one; the lane must be free."""
        self.sequence = sequence
        self._batches = _split(pictures)
        self._batch = 0
        self._tell()

    def drop(self) -> None:
        """Stop where it is; what is half encoded is lost."""
        self.sequence = None
        self._batches.clear()
        self._run = None

    def work(
        self, *, decoding: int, began: float, is_due: bool, look_up: Callable[[], None]
    ) -> EngineSequence | None:
        """Encode parts of layers while the step begun at `began` has time; `is_due`, one at least.

        Returns the sequence when all its pictures are read, which frees the lane, else None. Calls
        `look_up` between two parts, and stops there when the sequence is cancelled.
        """
        sequence = self.sequence
        while sequence is not None and not sequence.is_cancelled:
            if not is_due and not self._pace.has_time_for_part(decoding, self._clock() - began):
                break
            is_due = False
            self._encode_part(sequence)
            if self._batch == len(self._batches):
                self.drop()
                return sequence
            look_up()
        return None

    def _encode_part(self, sequence: EngineSequence) -> None:
        began = self._clock()
        batch = self._batches[self._batch]
        if self._run is None:
            self._run = self._network.start_vision([picture.patches for picture in batch])
        if not self._run.step():
            for picture, features in zip(batch, self._run.features(), strict=True):
                sequence.features[picture.digest] = features
                self._pictures.put(picture.digest, features)
            self._run = None
            self._batch += 1
        self._pace.note_part(self._clock() - began)
        self._tell()

    def _tell(self) -> None:
        layers = self._network.vision_layers
        done = self._batch * layers + (self._run.layers_done if self._run else 0)
        if self.sequence is not None:
            self.sequence.emit(PicturesRead(done, len(self._batches) * layers))


def _split(pictures: Sequence[PlacedPicture]) -> list[list[PlacedPicture]]:
    """Return the pictures, each once, in batches of limited size."""
    batches: list[list[PlacedPicture]] = []
    room = 0
    for picture in {picture.digest: picture for picture in pictures}.values():
        patches = picture.patches.grid.patches
        if patches > room or not batches:
            batches.append([])
            room = MAX_BATCH_PATCHES
        batches[-1].append(picture)
        room -= patches
    return batches
