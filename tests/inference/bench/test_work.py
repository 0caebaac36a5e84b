"""The least work of the 2B shape, against a count by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference.bench.work import (
    count_text_operations,
    count_token_bytes,
    count_vision_operations,
)
from inference.demo import WEIGHTS_DIR
from inference.engine.shape import ModelShape, read_shape


@pytest.fixture
def shape() -> ModelShape:
    """Return the shape of Qwen3-VL-2B-Instruct."""
    demo = read_shape(WEIGHTS_DIR)
    return replace(
        demo,
        text=replace(
            demo.text,
            layers=28,
            hidden=2048,
            heads=16,
            kv_heads=8,
            head_dim=128,
            intermediate=6144,
            vocabulary=151_936,
        ),
        vision=replace(
            demo.vision,
            depth=24,
            hidden=1024,
            heads=16,
            intermediate=4096,
            patch_px=16,
            merge=2,
            temporal_patch=2,
            channels=3,
            deepstack=(5, 11, 17),
            out_hidden=2048,
        ),
    )


def test_text_of_340_tokens_takes_a_trillion_operations(shape: ModelShape) -> None:
    products = 2 * 340 * 28 * (2 * 2048 * 2048 + 2 * 2048 * 1024 + 3 * 2048 * 6144)
    attention = 28 * 2 * 2 * 2048 * (340 * 340 // 2)

    assert count_text_operations(shape.text, 340) == products + attention


def test_vision_tower_takes_nearly_as_much(shape: ModelShape) -> None:
    layers = 2 * 1200 * 24 * (4 * 1024**2 + 2 * 1024 * 4096)
    attention = 24 * 2 * 2 * 1024 * 1200**2
    mergers = 2 * 300 * 4 * (4096**2 + 4096 * 2048)
    patches = 2 * 1200 * 1536 * 1024

    total = count_vision_operations(shape.vision, 300)

    assert total == layers + attention + mergers + patches


def test_a_token_reads_every_layer_and_the_output_once(shape: ModelShape) -> None:
    numbers = count_token_bytes(shape, lambda outputs, inputs: outputs * inputs)

    assert numbers == 28 * (4 * 2048**2 - 2 * 2048 * 1024 + 3 * 2048 * 6144) + 151_936 * 2048
