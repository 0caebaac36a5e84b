"""How fast is a model on this machine: `python -m inference.measure --model FOLDER`.

`--backend` and `--quantization` choose what runs it, `--packed-cache FOLDER` keeps the engine's
packed weights. Loads the model through the service and asks a question about a 640x480 picture,
then a follow-up. Prints a table, then one JSON line. Turn 2 contains the real answer of turn 1, so
both are the work that a person's conversation causes.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from inference.config import BackendName, Dtype, InferenceConfig, Quantization
from inference.requests import (
    ChatMessage,
    Failed,
    Finished,
    PixelBudget,
    SamplingOptions,
    TextDelta,
)
from inference.service import InferenceService
from inference.testing import assistant_message, image_part, make_request, user_message

PICTURE_SIZE_PX = (640, 480)
LOADING_DEADLINE_S = 3600.0
FIRST_QUESTION = "What is in this picture? Describe it in detail."
SECOND_QUESTION = "And which colours are in it?"


@dataclass(frozen=True, slots=True)
class TurnFigures:
    """One turn's figures.

    `first_token_ms` is what the person waited, measured by the reader of the events.
    """

    prompt_tokens: int
    cached_tokens: int
    image_tokens: int
    vision_ms: int
    prefill_ms: int
    first_token_ms: int
    tokens_per_s: float
    completion_tokens: int


def main(argv: Sequence[str] | None = None) -> int:
    """Measure as the command line says; return 0 if every turn was answered."""
    parser = argparse.ArgumentParser(prog="python -m inference.measure")
    parser.add_argument("--model", help="a folder or a hub name; none: as the server chooses")
    parser.add_argument("--backend", type=BackendName, default=BackendName.AUTO)
    parser.add_argument("--quantization", type=Quantization, default=Quantization.INT8)
    parser.add_argument("--dtype", type=Dtype, default=Dtype.AUTO, help="of transformers")
    parser.add_argument("--packed-cache", type=Path, help="where packed weights are kept")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=32, help="how long the answers are")
    parser.add_argument("--pixels", type=PixelBudget, default=PixelBudget.BALANCED)
    arguments = parser.parse_args(argv)
    service = InferenceService(
        InferenceConfig(
            backend=arguments.backend,
            model=arguments.model,
            dtype=arguments.dtype,
            quantization=arguments.quantization,
            packed_cache_dir=arguments.packed_cache,
            threads=arguments.threads,
            hub_offline=True,
        )
    )
    began = monotonic()
    service.start()
    try:
        if not service.wait_ready(LOADING_DEADLINE_S):
            print(service.state.message, file=sys.stderr)
            return 1
        ready_s = monotonic() - began
        turns = measure_conversation(service, arguments.tokens, arguments.pixels)
        form = arguments.dtype
        if arguments.backend is not BackendName.TRANSFORMERS:
            form = arguments.quantization
        _print_report(service.state.model, form, ready_s, turns)
    finally:
        service.close()
    return 0


def measure_conversation(
    service: InferenceService, max_tokens: int, pixels: PixelBudget
) -> list[TurnFigures]:
    """Ask two turns about one picture and return their figures.

    Raises:
        RuntimeError: if a turn fails.
    """
    # Random weights love to loop, and each answer must have as many tokens as were asked for.
    options = SamplingOptions(max_tokens=max_tokens, temperature=0.0, is_loop_guarded=False)
    question = user_message(FIRST_QUESTION, image_part(_draw_scene()))
    first, text = measure_turn(service, (question,), options=options, pixels=pixels)
    follow_up = (question, assistant_message(text), user_message(SECOND_QUESTION))
    second, _ = measure_turn(service, follow_up, options=options, pixels=pixels)
    return [first, second]


def measure_turn(
    service: InferenceService,
    messages: Iterable[ChatMessage],
    *,
    options: SamplingOptions,
    pixels: PixelBudget,
) -> tuple[TurnFigures, str]:
    """Let one conversation be answered and return its figures and the answer.

    Raises:
        RuntimeError: the answer failed; says why.
    """
    began = monotonic()
    first_at: float | None = None
    text = ""
    for event in service.submit(make_request(*messages, options=options, pixels=pixels)):
        if isinstance(event, TextDelta):
            first_at = first_at or monotonic()
            text += event.text
        elif isinstance(event, Failed):
            raise RuntimeError(event.message)
        elif isinstance(event, Finished):
            figures = _make_figures(event, (first_at or monotonic()) - began)
    return figures, text


def _make_figures(event: Finished, waited_s: float) -> TurnFigures:
    return TurnFigures(
        prompt_tokens=event.usage.prompt_tokens,
        cached_tokens=event.usage.cached_tokens,
        image_tokens=event.usage.image_tokens,
        vision_ms=event.timings.vision_ms,
        prefill_ms=event.timings.prefill_ms,
        first_token_ms=round(waited_s * 1000),
        tokens_per_s=event.timings.tokens_per_s,
        completion_tokens=event.usage.completion_tokens,
    )


def _draw_scene() -> bytes:
    """Return a PNG with noise and coloured boxes, the same every time."""
    from PIL import Image, ImageDraw

    chance = random.Random(0)  # noqa: S311  # a picture, not a secret
    width, height = PICTURE_SIZE_PX
    picture = Image.frombytes("RGB", PICTURE_SIZE_PX, chance.randbytes(3 * width * height))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        left, top = chance.randrange(width - 120), chance.randrange(height - 120)
        color = tuple(chance.randrange(256) for _ in range(3))
        draw.rectangle((left, top, left + 120, top + 120), fill=color)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _print_report(model: str, form: str, ready_s: float, turns: Sequence[TurnFigures]) -> None:
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{model}, {form}: ready after {ready_s:.1f} s, peak memory {peak_gib:.2f} GiB")
    names = tuple(asdict(turns[0]))
    print("turn  " + "  ".join(names))
    for number, turn in enumerate(turns, start=1):
        cells = (f"{value:>{len(name)}}" for name, value in asdict(turn).items())
        print(f"{number:>4}  " + "  ".join(cells))
    figures = {
        "model": model,
        "form": form,
        "ready_s": round(ready_s, 1),
        "peak_gib": round(peak_gib, 2),
        "turns": [asdict(turn) for turn in turns],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(main())
