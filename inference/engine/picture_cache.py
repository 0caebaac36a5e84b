"""Encoded pictures, so that the vision tower sees each picture once, whoever shows it.

Found by `cache_keys.picture_digest`, least recently used out first, within a budget of bytes. One
thread at a time. Features may be of any
number format.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor

from inference.engine.vision import PictureFeatures


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCacheStats:
    """How full the cache is, and how often it helped."""

    pictures: int
    used_bytes: int
    hits: int
    misses: int
    evictions: int


class PictureCache:
    """Features by digest.

    Invariant: the features' bytes together are at most the budget.
    """

    def __init__(self, budget_bytes: int) -> None:
        """Start empty; a budget of 0 keeps nothing."""
        self._budget_bytes = budget_bytes
        self._features: OrderedDict[bytes, PictureFeatures] = OrderedDict()
        self._used_bytes = 0
        self._hits = 0
        self._misses = 0
        self._evictions = 0

    def has(self, digest: bytes) -> bool:
        """Say whether a picture's features are kept; no use of them."""
        return digest in self._features

    def get(self, digest: bytes) -> PictureFeatures | None:
        """Return a picture's features, not to be changed, or None; counts as a use."""
        features = self._features.get(digest)
        if features is None:
            self._misses += 1
            return None
        self._hits += 1
        self._features.move_to_end(digest)
        return features

    def put(self, digest: bytes, features: PictureFeatures) -> None:
        """Keep a picture's features, which nobody may change any more.

        Features larger than the whole budget are not kept, and push nothing out.
        """
        kept = PictureFeatures(_own(features.tokens), _own(features.deep))
        size = count_bytes(kept)
        if size > self._budget_bytes:
            return
        self._remove(digest)
        while self._used_bytes + size > self._budget_bytes:
            self._remove(next(iter(self._features)))
            self._evictions += 1
        self._features[digest] = kept
        self._used_bytes += size

    def stats(self) -> PictureCacheStats:
        """Return how full the cache is and how often it helped."""
        return PictureCacheStats(
            pictures=len(self._features),
            used_bytes=self._used_bytes,
            hits=self._hits,
            misses=self._misses,
            evictions=self._evictions,
        )

    def _remove(self, digest: bytes) -> None:
        features = self._features.pop(digest, None)
        if features is not None:
            self._used_bytes -= count_bytes(features)


def count_bytes(features: PictureFeatures) -> int:
    """Return the memory that a picture's features take."""
    return features.tokens.nbytes + features.deep.nbytes


def _own(tensor: Tensor) -> Tensor:
    # Pictures are encoded in batches: a view of one would keep the whole batch in memory, beyond
    # what the budget counts.
    if tensor.untyped_storage().nbytes() == tensor.nbytes:
        return tensor
    return tensor.clone()
