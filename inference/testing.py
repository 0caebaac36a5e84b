"""What tests of this package and of its users need.

A scripted service, drawn pictures, a small real checkpoint.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.backends.base import ModelFiles
from inference.backends.scripted import Gate, Script, ScriptedBackend
from inference.config import BackendName, InferenceConfig
from inference.loader import FixedSource, ModelSource
from inference.requests import (
    ChatMessage,
    Event,
    GenerationRequest,
    ImagePart,
    PixelBudget,
    Role,
    SamplingOptions,
    TextDelta,
    TextPart,
)
from inference.service import Generation, InferenceService

__all__ = ["Gate", "Script", "scripted_service"]

DEADLINE_S = 20.0


@contextmanager
def scripted_service(
    script: Script | None = None,
    *,
    slots: int = 1,
    max_queue: int = 32,
    model: str = "scripted",
    demo: bool = False,
    source: ModelSource | None = None,
) -> Iterator[InferenceService]:
    """Start a service that answers by `script`.

    Closes it in the end. The gate's stages begin after the warm-up.
    """
    config = InferenceConfig(
        backend=BackendName.SCRIPTED, model=model, slots=slots, max_queue=max_queue
    )
    service = InferenceService(
        config,
        backend=ScriptedBackend(script),
        source=source or FixedSource(ModelFiles(model, None, demo)),
    )
    service.start()
    try:
        yield service
    finally:
        service.close()


def draw_png(
    width_px: int = 64, height_px: int = 64, color: tuple[int, int, int] = (220, 40, 40)
) -> bytes:
    """Return a PNG of one colour."""
    from PIL import Image  # only those who draw need Pillow

    buffer = io.BytesIO()
    Image.new("RGB", (width_px, height_px), color).save(buffer, "PNG")
    return buffer.getvalue()


def image_part(data: bytes | None = None) -> ImagePart:
    """Return a picture part; a small red one without `data`."""
    data = draw_png() if data is None else data
    return ImagePart(data, hashlib.sha256(data).hexdigest())


def user_message(text: str, *images: ImagePart) -> ChatMessage:
    """Return a question, its pictures first."""
    return ChatMessage(Role.USER, (*images, TextPart(text)))


def assistant_message(text: str) -> ChatMessage:
    """Return an earlier answer."""
    return ChatMessage(Role.ASSISTANT, (TextPart(text),))


def make_request(
    *messages: ChatMessage,
    options: SamplingOptions | None = None,
    pixels: PixelBudget = PixelBudget.BALANCED,
    prefix: tuple[int, ...] = (),
    shown_chars: int = 0,
    name: str = "request",
) -> GenerationRequest:
    """Return a request; one question about a small picture without `messages`."""
    return GenerationRequest(
        id=name,
        messages=messages or (user_message("What is this?", image_part()),),
        options=options or SamplingOptions(),
        pixels=pixels,
        prefix_token_ids=prefix,
        shown_chars=shown_chars,
    )


def read_events(generation: Generation, timeout_s: float = DEADLINE_S) -> list[Event]:
    """Return all events of a generation that are still to come.

    Raises:
        TimeoutError: if the terminal event does not come within `timeout_s` after the event before
        it.
    """
    events: list[Event] = []
    while (event := generation.next_event(timeout_s)) is not None:
        events.append(event)
    if not generation.is_finished:
        raise TimeoutError(f"No terminal event after {len(events)} events.")
    return events


def read_text(events: list[Event]) -> str:
    """Return the text of all deltas joined."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def read_token_ids(events: list[Event]) -> tuple[int, ...]:
    """Return the token ids of all deltas joined."""
    return tuple(i for event in events if isinstance(event, TextDelta) for i in event.token_ids)


def write_tiny_checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Write a random checkpoint of the true architecture with a byte tokenizer.

    About 0.4 MB, loads in a moment.
    """
    from inference.random_checkpoint import (  # imports torch
        TINY_SHAPE,
        write_byte_tokenizer,
        write_random_checkpoint,
    )

    write_byte_tokenizer(folder)
    write_random_checkpoint(folder, TINY_SHAPE, seed=seed)
    return folder
