"""Pictures at the size that the model sees, kept for the next question about them.

A conversation shows its pictures again with every turn. Decoding a photograph takes 30 ms and
more; the small picture that comes out of it is a thousandth of what its features take later.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from inference.images import ImageLimits, decode_image, smart_resize

if TYPE_CHECKING:
    from PIL import Image

BUDGET_BYTES: Final = 64 * 2**20
"""About seventy pictures of 300 tokens, or twenty of 1,024."""
CHANNELS: Final = 3

Key = tuple[bytes, ImageLimits]


class PreparedPictures:
    """Pictures by their content and the limits of their size, least recently used out first.

    Used by several threads at once. Invariant: the pixels together are at most the budget.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        """Start empty; a budget of 0 keeps nothing."""
        self._budget_bytes = budget_bytes
        self._pictures: OrderedDict[Key, Image.Image] = OrderedDict()
        self._used_bytes = 0
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """Return how much memory the pixels take."""
        return self._used_bytes

    def prepare(self, data: bytes, limits: ImageLimits) -> Image.Image:
        """Return a picture in RGB, scaled to a size within the limits; not to be changed.

        Raises:
            InferenceError: `image_unreadable`, `image_too_large`.
        """
        # Of the bytes themselves: whoever asks may be wrong about what they are the hash of.
        key = (hashlib.sha256(data).digest(), limits)
        with self._lock:
            picture = self._pictures.get(key)
            if picture is not None:
                self._pictures.move_to_end(key)
                return picture
        full = decode_image(data)
        picture = full.resize(smart_resize(full.width, full.height, limits))
        self._keep(key, picture)
        return picture

    def _keep(self, key: Key, picture: Image.Image) -> None:
        size = _count_bytes(picture)
        with self._lock:
            # Another thread may have prepared the same one meanwhile.
            if size > self._budget_bytes or key in self._pictures:
                return
            while self._used_bytes + size > self._budget_bytes:
                _, oldest = self._pictures.popitem(last=False)
                self._used_bytes -= _count_bytes(oldest)
            self._pictures[key] = picture
            self._used_bytes += size


def _count_bytes(picture: Image.Image) -> int:
    return picture.width * picture.height * CHANNELS
