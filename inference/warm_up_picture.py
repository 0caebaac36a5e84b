"""The dummy picture of the warm-up."""

from __future__ import annotations

import hashlib
import io

SIDE_PX = 64


def warm_up_png() -> tuple[bytes, str]:
    """Return a small grey PNG and its hex SHA-256."""
    from PIL import Image  # light processes never warm up a model

    buffer = io.BytesIO()
    Image.new("RGB", (SIDE_PX, SIDE_PX), (128, 128, 128)).save(buffer, "PNG")
    data = buffer.getvalue()
    return data, hashlib.sha256(data).hexdigest()
