"""The memory of sequences: their pages, what is known of them already, the features they need.

Between the scheduler, which decides who may hold memory, and the caches, which know keys only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from inference.engine.kv_cache import KVCache
from inference.engine.picture_cache import PictureCache
from inference.engine.sequence import EngineSequence, PlacedPicture

RESTORE_S: Final = 0.05
"""How long one call may bring spilled pages back from disk."""


class SequenceMemory:
    """Opens, fills and closes the memory of sequences.

    `is_full` says that somebody found no room and that nothing was freed since.
    """

    def __init__(
        self, cache: KVCache, pictures: PictureCache, *, clock: Callable[[], float]
    ) -> None:
        """Take both caches of a model."""
        self._cache = cache
        self._pictures = pictures
        self._clock = clock
        self.is_full = False

    @property
    def capacity_tokens(self) -> int:
        """Return how long one sequence alone may become."""
        return self._cache.capacity_tokens

    def open(self, sequence: EngineSequence) -> bool:
        """Find what is known of a sequence and reserve room for the rest; say whether it may run.

        When it may not, there was no room (`is_full`), or more of it is still to come from disk:
        another call goes on.
        """
        if sequence.pages is None:
            sequence.pages = self._cache.begin(sequence.keys(0, sequence.length))
        if not self.catch_up(sequence):
            return False
        if not self.reserve(sequence):
            self.close(sequence)
            self.is_full = True
            return False
        for picture in sequence.pictures_from(sequence.computed):
            features = self._pictures.get(picture.digest)
            if features is not None:
                sequence.features[picture.digest] = features
        return True

    def catch_up(self, sequence: EngineSequence) -> bool:
        """Take over what others have computed and what lies on disk; say whether that is all."""
        if sequence.pages is None:
            return True
        began, keys = self._clock(), sequence.keys(0, sequence.length)
        while self._cache.catch_up(sequence.pages, keys):
            if self._clock() - began > RESTORE_S:
                return False
        return True

    def reserve(self, sequence: EngineSequence) -> bool:
        """Get pages for all tokens of a sequence so far; say whether there was room."""
        return sequence.pages is None or self._cache.reserve(sequence.pages, sequence.length)

    def commit(self, sequence: EngineSequence, rows: int) -> None:
        """Note that a sequence's next tokens are computed; others may use them from now on."""
        if sequence.pages is not None:
            first = sequence.computed
            self._cache.commit(sequence.pages, sequence.keys(first, first + rows))

    def close(self, sequence: EngineSequence) -> None:
        """Give back what a sequence holds; its computed tokens stay as cache."""
        if sequence.pages is not None:
            self._cache.release(sequence.pages)
            sequence.pages = None
            self.is_full = False
        sequence.features.clear()

    def may_need_tower(self, sequence: EngineSequence) -> bool:
        """Say whether a waiting sequence has a picture whose features are not kept."""
        return any(not self._pictures.has(p.digest) for p in sequence.prompt.pictures)

    def list_missing(self, sequence: EngineSequence) -> list[PlacedPicture]:
        """Return the pictures that must be encoded before the rest of a sequence can be read."""
        return [
            picture
            for picture in sequence.pictures_from(sequence.computed)
            if picture.digest not in sequence.features
        ]
