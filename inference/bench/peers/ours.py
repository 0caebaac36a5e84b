"""Our own service as a contestant, asked as the server asks it: `InferenceService` and its events.

Tokens are drawn (temperature 1, the 20 likeliest) and not the likeliest each: with random weights
the likeliest ones soon repeat, and drafts would then make this look faster than any real answer.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from inference.bench.wire import Answer, Answerer, Conversation, Ready, serve
from inference.config import BackendName, InferenceConfig, Quantization
from inference.measure import measure_turn
from inference.requests import ChatMessage, ImagePart, PixelBudget, Role, SamplingOptions, TextPart
from inference.service import InferenceService
from inference.testing import image_part

LOADING_DEADLINE_S = 600.0
CONTEXT_TOKENS = 2048


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench.peers.ours")
    parser.add_argument("--model", required=True)
    parser.add_argument("--quantization", type=Quantization, required=True)
    parser.add_argument("--packed-cache", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    arguments = parser.parse_args()
    config = InferenceConfig(
        backend=BackendName.ENGINE,
        model=arguments.model,
        quantization=arguments.quantization,
        packed_cache_dir=arguments.packed_cache,
        threads=arguments.threads,
        slots=arguments.slots,
        context_tokens=CONTEXT_TOKENS,
        hub_offline=True,
    )
    serve(lambda: _start(config))


def _start(config: InferenceConfig) -> tuple[Ready, Answerer]:
    service = InferenceService(config)
    service.start()
    if not service.wait_ready(LOADING_DEADLINE_S):
        raise RuntimeError(service.state.message)

    def answer(conversations: Sequence[Conversation], tokens: int) -> list[Answer]:
        return _answer_all(service, conversations, tokens)

    return Ready(f"our engine, {config.quantization}", os.getpid()), answer


def _answer_all(
    service: InferenceService, conversations: Sequence[Conversation], tokens: int
) -> list[Answer]:
    """Answer all at once, a thread for each reader."""
    began = monotonic()
    with ThreadPoolExecutor(len(conversations)) as readers:
        answers = [readers.submit(_answer, service, c, tokens, began) for c in conversations]
        return [answer.result() for answer in answers]


def _answer(
    service: InferenceService, conversation: Conversation, tokens: int, began: float
) -> Answer:
    messages = [_read_message(line.role, line.text, line.picture) for line in conversation]
    options = SamplingOptions(
        max_tokens=tokens, temperature=1.0, top_p=1.0, top_k=20, is_loop_guarded=False
    )
    waited_s = monotonic() - began
    figures, text = measure_turn(service, messages, options=options, pixels=PixelBudget.BALANCED)
    return Answer(
        text=text,
        tokens=figures.completion_tokens,
        prompt_tokens=figures.prompt_tokens,
        first_s=waited_s + figures.first_token_ms / 1000,
        total_s=monotonic() - began,
        decode_tokens_per_s=figures.tokens_per_s,
        vision_s=figures.vision_ms / 1000,
    )


def _read_message(role: str, text: str, picture: str) -> ChatMessage:
    images: tuple[ImagePart, ...] = ()
    if picture:
        images = (image_part(Path(picture).read_bytes()),)
    return ChatMessage(Role(role), (*images, TextPart(text)))


if __name__ == "__main__":
    main()
