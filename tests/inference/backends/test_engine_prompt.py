"""From the processor's tensors to keys, places and positions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inference.backends.engine_prompt import make_prompt
from inference.backends.vision_input import Inputs
from inference.engine.cache_keys import PICTURE_BIT
from inference.engine.shape import ModelShape, read_shape
from inference.model_source import BUNDLED_DEMO_DIR

LEFT, RIGHT = [(4, 4), (2, 6)]


@pytest.fixture(scope="module")
def shape() -> ModelShape:
    """Return the demo model's shape."""
    return read_shape(Path(BUNDLED_DEMO_DIR))


def make_inputs(shape: ModelShape, *, look: float = 0.5) -> Inputs:
    """Return the tensors of two pictures of 4 and 3 tokens between words."""
    image = shape.image_token_id
    ids = [50, 51, *[image] * 4, 52, *[image] * 3, 53, 54]
    left = torch.full((16, shape.vision.patch_inputs), look)
    right = torch.full((12, shape.vision.patch_inputs), 0.25)
    return {
        "input_ids": torch.tensor([ids]),
        "pixel_values": torch.cat([left, right]),
        "image_grid_thw": torch.tensor([[1, *LEFT], [1, *RIGHT]]),
    }


def test_pictures_stand_where_their_tokens_are(shape: ModelShape) -> None:
    prompt = make_prompt(make_inputs(shape), 12, shape)

    assert [(p.first_token, p.tokens) for p in prompt.pictures] == [(2, 4), (7, 3)]
    assert [(p.patches.rows, p.patches.columns) for p in prompt.pictures] == [LEFT, RIGHT]
    assert [len(p.patches.pixels) for p in prompt.pictures] == [16, 12]


def test_keys_are_ids_for_text_and_something_else_for_pictures(shape: ModelShape) -> None:
    prompt = make_prompt(make_inputs(shape), 12, shape)

    is_picture = [bool(key & PICTURE_BIT) for key in prompt.keys]
    assert is_picture == [token == shape.image_token_id for token in prompt.token_ids]
    assert prompt.keys[0] == 50
    assert len(set(prompt.keys)) == len(prompt.keys)


def test_another_picture_has_other_keys_and_the_same_one_the_same(shape: ModelShape) -> None:
    one, same = (make_prompt(make_inputs(shape), 12, shape).keys for _ in range(2))
    other = make_prompt(make_inputs(shape, look=0.51), 12, shape).keys

    assert one == same
    differs = [a != b for a, b in zip(one, other, strict=True)]
    assert differs == [index in range(2, 6) for index in range(12)]


def test_bytes_are_known_by_their_scale_too(shape: ModelShape) -> None:
    one, other = make_inputs(shape), make_inputs(shape)
    for inputs, mean in ((one, 127.0), (other, 128.0)):
        inputs["pixel_values"] = torch.zeros(
            (28, shape.vision.patch_inputs // 2), dtype=torch.uint8
        )
        inputs["pixel_scale"] = torch.tensor([[mean] * 3, [127.5] * 3])

    first, second = (make_prompt(inputs, 12, shape) for inputs in (one, other))

    assert first.pictures[0].patches.pixels.dtype is torch.uint8
    assert first.pictures[0].digest != second.pictures[0].digest


def test_accepted_tokens_behind_the_prompt_are_left_out(shape: ModelShape) -> None:
    prompt = make_prompt(make_inputs(shape), 11, shape)

    assert prompt.token_ids[-1] == 53
    assert prompt.positions.values.shape == (3, 11)


def test_prompt_without_pictures_counts_up(shape: ModelShape) -> None:
    prompt = make_prompt({"input_ids": torch.tensor([[50, 51, 52]])}, 3, shape)

    assert prompt.pictures == ()
    assert prompt.positions.values[0].tolist() == [0, 1, 2]
    assert prompt.positions.next_position == 3
