"""The demo model in int8 answers as in float32: the same words, under the true answers' tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from inference.config import Quantization
from inference.demo import WEIGHTS_DIR
from inference.demo.cases import Case, photograph_cases, picture_cases, talk_cases
from inference.engine.kernels.base import Kernels
from inference.engine.kernels.portable import PortableKernels
from inference.engine.vision import PicturePatches
from tests.inference.engine.twins import Engine, Prompt, load_engine

MIN_TOKENS = 250


@pytest.fixture(scope="module")
def answers() -> list[tuple[Prompt, int]]:
    """Return examined conversations with the right answer behind, and its number of tokens."""
    from inference.demo.network import Qwen3VLProcessor  # transformers, seconds to import

    processor = Qwen3VLProcessor.from_pretrained(WEIGHTS_DIR, local_files_only=True)
    cases = [*picture_cases(4), *photograph_cases(2), *talk_cases()[:4]]
    return [_force(processor, case) for case in cases]


def _force(processor: Any, case: Case) -> tuple[Prompt, int]:
    inputs = processor.apply_chat_template(
        case.messages(),
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    ids = processor.tokenizer(case.answer + "<|im_end|>", add_special_tokens=False)["input_ids"]
    prompt = Prompt([*inputs["input_ids"][0].tolist(), *ids], _pictures(inputs))
    return prompt, len(ids)


def _pictures(inputs: Any) -> list[PicturePatches]:
    if "pixel_values" not in inputs:
        return []
    grids = inputs["image_grid_thw"].tolist()
    pixels = inputs["pixel_values"].split([rows * columns for _, rows, columns in grids])
    return [
        PicturePatches(part, rows, columns)
        for part, (_, rows, columns) in zip(pixels, grids, strict=True)
    ]


@pytest.fixture(scope="module")
def exact(answers: list[tuple[Prompt, int]]) -> Tensor:
    """Return the logits of the answers in float32."""
    return answer_logits(answers, PortableKernels(), Quantization.FP32)


def answer_logits(
    answers: list[tuple[Prompt, int]], kernels: Kernels, quantization: Quantization
) -> Tensor:
    """Return the logits (tokens, vocabulary) from which each token of each answer is chosen."""
    weights = load_engine(WEIGHTS_DIR, kernels, quantization).weights
    found = [Engine(weights, kernels).logits(p)[-count - 1 : -1] for p, count in answers]
    return torch.cat(found)


@pytest.mark.slow
@pytest.mark.reference
def test_int8_chooses_the_words_of_float32(
    answers: list[tuple[Prompt, int]], exact: Tensor, kernels: Kernels
) -> None:
    quantised = answer_logits(answers, kernels, Quantization.INT8)

    assert len(exact) >= MIN_TOKENS
    assert (quantised.argmax(-1) == exact.argmax(-1)).float().mean() >= 0.99
    assert (quantised - exact).norm() <= 0.01 * exact.norm()
