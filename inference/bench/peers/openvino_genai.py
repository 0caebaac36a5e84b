"""OpenVINO GenAI as a contestant; runs in its own environment.

Its continuous batching with the cache of prompt beginnings on. Adding a question encodes its
pictures at once, also those of earlier turns. Among several people each one's prompt is read before
the next question is added, which brings the first words soonest.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any

from inference.bench.wire import Answer, Answerer, Conversation, Ready, serve

CACHE_GB = 2
SLOTS = 8
TOKEN_PX = 32
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench.peers.openvino_genai")
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    serve(lambda: _start(arguments.model, arguments.threads))


def _start(folder: str, threads: int) -> tuple[Ready, Answerer]:
    import openvino_genai  # only there in the peer's environment

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = CACHE_GB
    scheduler.enable_prefix_caching = True
    scheduler.dynamic_split_fuse = True
    scheduler.max_num_seqs = SLOTS
    properties = {"INFERENCE_NUM_THREADS": threads}
    pipeline = openvino_genai.ContinuousBatchingPipeline(folder, scheduler, "CPU", properties)
    pipe = _Pipe(pipeline, openvino_genai)
    return Ready(f"OpenVINO GenAI {openvino_genai.__version__}", os.getpid()), pipe.answer


@dataclass(slots=True)
class _Running:
    """One question on its way."""

    handle: Any  # untyped in the library
    prompt_tokens: int
    vision_s: float
    first_s: float = 0.0
    last_s: float = 0.0
    token_ids: list[int] = field(default_factory=list)


class _Pipe:
    """The pipeline, and the number of the next question."""

    def __init__(self, pipeline: Any, library: Any) -> None:
        self._pipeline = pipeline
        self._library = library
        self._tokenizer = pipeline.get_tokenizer()
        self._ids = count()

    def answer(self, conversations: Sequence[Conversation], tokens: int) -> list[Answer]:
        began = monotonic()
        running: list[_Running] = []
        for conversation in conversations:
            running.append(self._add(conversation, tokens))
            while not running[-1].token_ids:
                self._step(running, began)
        while self._pipeline.has_non_finished_requests():
            self._step(running, began)
        return [self._make_answer(one) for one in running]

    def _add(self, conversation: Conversation, tokens: int) -> _Running:
        prompt = "".join(_format(line.role, line.text, line.picture) for line in conversation)
        prompt += "<|im_start|>assistant\n"
        pictures = [self._read(line.picture) for line in conversation if line.picture]
        began = monotonic()
        config = self._make_config(tokens)
        handle = self._pipeline.add_request(next(self._ids), prompt, pictures, config)
        vision_s = monotonic() - began
        return _Running(handle, self._count_tokens(prompt, pictures), vision_s)

    def _count_tokens(self, prompt: str, pictures: Sequence[Any]) -> int:
        """Return the prompt's tokens: the pipeline does not tell what pictures cost."""
        words: int = self._tokenizer.encode(prompt).input_ids.shape[1]
        sizes = (picture.shape for picture in pictures)  # (1, rows, columns, 3)
        return words + sum(int(s[1] // TOKEN_PX * (s[2] // TOKEN_PX)) - 1 for s in sizes)

    def _step(self, running: Sequence[_Running], began: float) -> None:
        self._pipeline.step()
        now = monotonic() - began
        for one in running:
            if one.handle.can_read():
                for output in one.handle.read().values():
                    one.token_ids.extend(output.generated_ids)
                one.first_s = one.first_s or now
                one.last_s = now

    def _make_config(self, tokens: int) -> Any:
        config = self._library.GenerationConfig()
        config.max_new_tokens = tokens
        config.min_new_tokens = tokens
        config.ignore_eos = True
        config.do_sample = True
        config.temperature = 1.0
        config.top_k = 20
        return config

    def _read(self, picture: str) -> Any:
        import numpy
        import openvino
        from PIL import Image

        return openvino.Tensor(numpy.array(Image.open(picture).convert("RGB"))[None])

    def _make_answer(self, one: _Running) -> Answer:
        written = len(one.token_ids)
        decoding_s = one.last_s - one.first_s
        return Answer(
            text=self._tokenizer.decode(one.token_ids),
            tokens=written,
            prompt_tokens=one.prompt_tokens,
            first_s=one.first_s,
            total_s=one.last_s,
            decode_tokens_per_s=(written - 1) / decoding_s if decoding_s else 0.0,
            vision_s=one.vision_s,
        )


def _format(role: str, text: str, picture: str) -> str:
    return f"<|im_start|>{role}\n{PICTURE if picture else ''}{text}<|im_end|>\n"


if __name__ == "__main__":
    main()
