"""Our own processor gives the very ids and patches that transformers' processor gives."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from inference.backends.engine_loading import make_processor
from inference.backends.own_processor import OwnProcessor, cut_patches, make_scale
from inference.backends.token_rules import list_eos_ids, read_configured_eos
from inference.backends.transformers_processor import (
    TransformersProcessor,
    load_transformers_processor,
)
from inference.backends.vision_input import VisionInput
from inference.engine.vision import PicturePatches
from inference.errors import InferenceError
from inference.images import QWEN3_VL_LIMITS, smart_resize
from inference.model_source import BUNDLED_DEMO_DIR
from inference.processor.parts import find_parts, read_parts
from inference.processor.picture_recipe import PictureRecipe
from inference.requests import GenerationRequest, PixelBudget
from tests.inference.conversations import make_conversations
from tests.inference.qwen_folder import change_json

if TYPE_CHECKING:
    from inference.backends.vision_input import Inputs

BATCHES, BATCH = 10, 100
FOLDERS = ("qwen", "tiny", "demo")
LONG, SHORT = 8192, 700
"""Contexts that hold every conversation, and that few fit into whole."""
RECIPE = PictureRecipe(
    limits=QWEN3_VL_LIMITS, temporal_patch=2, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)
)


@pytest.fixture(scope="session")
def folders(qwen_folder: Path, tiny_folder: Path) -> dict[str, Path]:
    """Return a folder for each way in which tokenizers are written."""
    return {"qwen": qwen_folder, "tiny": tiny_folder, "demo": BUNDLED_DEMO_DIR}


@pytest.fixture(scope="session")
def pairs(folders: dict[str, Path]) -> dict[str, tuple[OwnProcessor, TransformersProcessor]]:
    """Return both processors of each folder."""
    return {
        name: (
            OwnProcessor(read_parts(folder)),
            load_transformers_processor(folder, model_type="qwen3_vl"),
        )
        for name, folder in folders.items()
    }


def draw_noise(width_px: int, height_px: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def build(
    pair: tuple[OwnProcessor, TransformersProcessor], request: GenerationRequest, context: int
) -> tuple[Inputs | str, Inputs | str]:
    """Return what each makes of a request: tensors, or the code of the refusal."""
    made: list[Inputs | str] = []
    for processor in pair:
        try:
            made.append(VisionInput(processor, context_tokens=context).build(request, 16))
        except InferenceError as error:
            made.append(error.code)
    return made[0], made[1]


def widen(patches: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return the numbers of some patches, as the tower takes them."""
    return PicturePatches(patches, 1, len(patches), scale).numbers(2 * patches.shape[1])


def assert_equal(own: Inputs | str, reference: Inputs | str) -> None:
    if isinstance(own, str) or isinstance(reference, str):
        assert own == reference
        return
    assert own["input_ids"].tolist() == reference["input_ids"].tolist()
    assert own.get("image_grid_thw", torch.empty(0)).tolist() == (
        reference.get("image_grid_thw", torch.empty(0)).tolist()
    )
    if "pixel_values" in own:
        numbers = widen(own["pixel_values"], own["pixel_scale"])
        assert torch.equal(numbers, reference["pixel_values"])
    assert ("pixel_values" in own) == ("pixel_values" in reference)


@pytest.mark.reference
@pytest.mark.parametrize("batch", range(BATCHES))
def test_conversations_become_the_same_tensors(
    pairs: dict[str, tuple[OwnProcessor, TransformersProcessor]], batch: int
) -> None:
    for request in make_conversations(batch, BATCH):
        own, reference = build(pairs["qwen"], request, LONG)
        assert not isinstance(own, str)
        assert_equal(own, reference)


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_conversations_that_are_cut_become_the_same_tensors(
    pairs: dict[str, tuple[OwnProcessor, TransformersProcessor]], name: str
) -> None:
    for request in make_conversations(1000, BATCH):
        assert_equal(*build(pairs[name], request, SHORT))


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_processors_agree_about_the_model(
    pairs: dict[str, tuple[OwnProcessor, TransformersProcessor]], name: str
) -> None:
    own, reference = pairs[name]

    assert own.limits == reference.limits
    assert own.control_tokens == reference.control_tokens
    assert own.eos_token_id == reference.eos_token_id


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_tokens_become_the_same_text(
    pairs: dict[str, tuple[OwnProcessor, TransformersProcessor]], name: str
) -> None:
    own, reference = pairs[name]
    chance = random.Random(0)

    for _ in range(200):
        ids = [chance.randrange(270) for _ in range(20)]
        assert own.decode(ids) == reference.decode(ids)


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_the_same_tokens_end_an_answer(
    folders: dict[str, Path],
    pairs: dict[str, tuple[OwnProcessor, TransformersProcessor]],
    name: str,
) -> None:
    from transformers import GenerationConfig

    load: Any = GenerationConfig.from_pretrained
    reference = list_eos_ids(load(folders[name]).eos_token_id, pairs[name][1].eos_token_id)

    assert list_eos_ids(read_configured_eos(folders[name]), pairs[name][0].eos_token_id) == (
        reference
    )


@pytest.mark.reference
@pytest.mark.parametrize("pixels", list(PixelBudget))
@pytest.mark.parametrize("size", [(640, 480), (37, 911), (1201, 1199), (64, 64), (5, 900)])
def test_picture_becomes_the_patches_of_the_official_image_processor(
    size: tuple[int, int], pixels: PixelBudget
) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    limits = QWEN3_VL_LIMITS.within(pixels)
    edges = {"shortest_edge": limits.min_pixels, "longest_edge": limits.max_pixels}
    make: Any = Qwen2VLImageProcessorPil
    official = make(
        size=edges, patch_size=16, image_mean=list(RECIPE.mean), image_std=list(RECIPE.std)
    )
    picture = draw_noise(*size)

    expected = official(picture, return_tensors="pt")

    sized = picture.resize(smart_resize(*size, limits))
    assert expected["image_grid_thw"].tolist() == [[1, sized.height // 16, sized.width // 16]]
    patches = widen(cut_patches(sized, RECIPE), make_scale(RECIPE))
    torch.testing.assert_close(patches, expected["pixel_values"], rtol=0, atol=1e-6)


@pytest.mark.reference
@pytest.mark.parametrize("pixels", list(PixelBudget))
def test_sizes_are_those_of_the_official_image_processor(pixels: PixelBudget) -> None:
    from transformers.models.qwen2_vl import image_processing_pil_qwen2_vl as official

    limits = QWEN3_VL_LIMITS.within(pixels)
    chance = random.Random(0)

    for _ in range(2000):
        width, height = (round(2 ** chance.uniform(5.4, 13)) for _ in range(2))
        rows, columns = official.smart_resize(
            height, width, 32, min_pixels=limits.min_pixels, max_pixels=limits.max_pixels
        )
        if rows * columns <= limits.max_pixels:  # of a very long picture the official one is larger
            assert smart_resize(width, height, limits) == (columns, rows)


def test_patches_of_a_token_follow_each_other() -> None:
    # Each pixel is the number of its patch, counted row by row over a picture of 4 x 4 patches.
    numbers = np.arange(16, dtype=np.uint8).reshape(4, 4)
    pixels = np.repeat(np.kron(numbers, np.ones((16, 16), np.uint8))[..., None], 3, axis=2)

    patches = cut_patches(Image.fromarray(pixels), RECIPE)

    order = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]
    assert patches.tolist() == [[number] * 768 for number in order]


def test_picture_of_half_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="48 x 32 pixels are not whole tokens"):
        cut_patches(draw_noise(48, 32), RECIPE)


def test_template_that_forgets_a_picture_is_an_error(qwen_copy: Path) -> None:
    (qwen_copy / "chat_template.jinja").write_text("no place", encoding="utf-8")
    processor = OwnProcessor(read_parts(qwen_copy))
    messages: Any = [{"role": "user", "content": [{"type": "image", "image": draw_noise(64, 64)}]}]

    with pytest.raises(ValueError, match="0 places for 1 pictures"):
        processor.make_inputs(messages, add_vision_id=False)


def test_folder_that_asks_for_more_is_prepared_by_transformers(
    qwen_copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change_json(qwen_copy / "preprocessor_config.json", resample=2)

    with caplog.at_level("INFO"):
        processor = make_processor(qwen_copy, find_parts(qwen_copy))

    assert isinstance(processor, TransformersProcessor)
    assert "resample is 2" in caplog.text


def test_plain_folder_is_prepared_by_our_own_processor(qwen_folder: Path) -> None:
    assert isinstance(make_processor(qwen_folder, find_parts(qwen_folder)), OwnProcessor)
