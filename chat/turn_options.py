"""What a person may choose for an answer: by turn, by conversation, by preset.

Part of the wire contract (docs/protocol.md); imports nothing of ours but the readers of fields.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from chat.frame_fields import FrameError, Json, number_of, text_of


class Pixels(StrEnum):
    """How many pixels of a picture the model looks at."""

    FAST = "fast"
    BALANCED = "balanced"
    DETAIL = "detail"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What a client may choose for one reply; None leaves it to others."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    pixels: Pixels | None = None
    model: str | None = None
    presence_penalty: float | None = None
    system_prompt: str | None = None  # empty: none, whatever the conversation has

    def chosen(self) -> dict[str, Any]:
        """Give what was chosen, as it is kept: JSON-ready, without what is left open."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def read_options(frame: Json, name: str = "options") -> TurnOptions:
    """Read the options that a frame's field of this name holds; without one none is chosen.

    Raises:
        FrameError: one is of the wrong kind.
    """
    options = frame.get(name)
    if options is None:
        return TurnOptions()
    if not isinstance(options, dict):
        raise FrameError(f"“{name}” must be an object")
    pixels = options.get("pixels")
    if pixels is not None and pixels not in list(Pixels):
        raise FrameError(f"“options.pixels” must be one of {', '.join(Pixels)}")
    real = (int, float)
    has_prompt = options.get("system_prompt") is not None
    return TurnOptions(
        max_tokens=number_of(options, "max_tokens", kinds=(int,), low=1, high=1_000_000),
        temperature=number_of(options, "temperature", kinds=real, low=0, high=2),
        top_p=number_of(options, "top_p", kinds=real, low=0, high=1),
        seed=number_of(options, "seed", kinds=(int,), low=0, high=2**31 - 1),
        pixels=None if pixels is None else Pixels(pixels),
        model=text_of(options, "model") or None,
        presence_penalty=number_of(options, "presence_penalty", kinds=real, low=-2, high=2),
        system_prompt=text_of(options, "system_prompt") if has_prompt else None,
    )
