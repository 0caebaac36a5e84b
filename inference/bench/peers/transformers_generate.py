"""transformers as a contestant: `generate` as it comes, bf16, its default attention.

One conversation at a time and everything read anew each time, which is what it does by itself.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import torch
from PIL import Image

from inference.backends.torchvision_shim import ensure_torchvision
from inference.bench.wire import Answer, Answerer, Conversation, Line, Ready, serve


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench.peers.transformers_generate")
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    serve(lambda: _start(arguments.model, arguments.threads))


def _start(folder: str, threads: int) -> tuple[Ready, Answerer]:
    torch.set_num_threads(threads)
    ensure_torchvision()  # before transformers imports it
    import transformers

    load_processor: Any = transformers.AutoProcessor.from_pretrained  # untyped in the library
    processor = load_processor(folder, local_files_only=True)
    model: Any = transformers.AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.bfloat16, local_files_only=True
    )
    model.eval()

    def answer(conversations: Sequence[Conversation], tokens: int) -> list[Answer]:
        return [_answer(model, processor, one, tokens) for one in conversations]

    return Ready(f"transformers {transformers.__version__}, bfloat16", os.getpid()), answer


class _Times:
    """A streamer that notes when tokens come; the first call brings the prompt."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    def put(self, value: object) -> None:
        self.calls.append(monotonic())

    def end(self) -> None:
        """There is nothing to flush."""


def _answer(model: Any, processor: Any, conversation: Conversation, tokens: int) -> Answer:
    began = monotonic()
    inputs = processor.apply_chat_template(
        [{"role": line.role, "content": _format(line)} for line in conversation],
        tokenize=True,
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
    )
    times = _Times()
    with torch.inference_mode(), _timing_vision(model) as vision:
        written = model.generate(
            **inputs,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=True,
            temperature=1.0,
            top_k=20,
            top_p=1.0,
            streamer=times,
        )
    prompt_tokens = inputs["input_ids"].shape[1]
    first, last = times.calls[1], times.calls[-1]
    return Answer(
        text=processor.tokenizer.decode(written[0, prompt_tokens:], skip_special_tokens=True),
        tokens=written.shape[1] - prompt_tokens,
        prompt_tokens=prompt_tokens,
        first_s=first - began,
        total_s=last - began,
        decode_tokens_per_s=(tokens - 1) / (last - first) if last > first else 0.0,
        vision_s=sum(vision),
    )


@contextmanager
def _timing_vision(model: Any) -> Iterator[list[float]]:
    """Collect the seconds that the vision tower takes."""
    began: list[float] = []
    took: list[float] = []
    tower = model.model.visual
    hooks = (
        tower.register_forward_pre_hook(lambda *_: began.append(monotonic())),
        tower.register_forward_hook(lambda *_: took.append(monotonic() - began[-1])),
    )
    try:
        yield took
    finally:
        for hook in hooks:
            hook.remove()


def _format(line: Line) -> list[dict[str, object]]:
    pictures: list[dict[str, object]] = []
    if line.picture:
        # Opened here: the library's own reader of files needs torchvision's native library.
        pictures.append({"type": "image", "image": Image.open(line.picture).convert("RGB")})
    return [*pictures, {"type": "text", "text": line.text}]


if __name__ == "__main__":
    main()
