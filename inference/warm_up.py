"""The question that nobody asked: it pays a model's first-time costs before the first person."""

from __future__ import annotations

import hashlib
import io

from inference.requests import (
    ChatMessage,
    GenerationRequest,
    ImagePart,
    PixelBudget,
    Role,
    SamplingOptions,
    TextPart,
)

WARM_UP_TEXT = "Warm up."
SIDE_PX = 64


def make_warm_up_request(*, tokens: int) -> GenerationRequest:
    """Return a question about a small grey picture, to be answered with so many tokens."""
    data = make_grey_png()
    picture = ImagePart(data, hashlib.sha256(data).hexdigest())
    return GenerationRequest(
        id="warm-up",
        messages=(ChatMessage(Role.USER, (picture, TextPart(WARM_UP_TEXT))),),
        options=SamplingOptions(max_tokens=tokens, temperature=0.0),
        pixels=PixelBudget.FAST,
    )


def make_grey_png() -> bytes:
    """Return a small square PNG."""
    from PIL import Image  # light processes never warm up a model

    buffer = io.BytesIO()
    Image.new("RGB", (SIDE_PX, SIDE_PX), (128, 128, 128)).save(buffer, "PNG")
    return buffer.getvalue()
