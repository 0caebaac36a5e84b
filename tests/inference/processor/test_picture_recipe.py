"""What the files say about pictures is read where it is known, and refused elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import InferenceError
from inference.images import ImageLimits
from inference.processor.errors import UnsupportedProcessorError
from inference.processor.picture_recipe import read_picture_recipe
from tests.inference.qwen_folder import change_json


def say(folder: Path, **words: object) -> None:
    change_json(folder / "preprocessor_config.json", **words)


def test_recipe_is_that_of_the_file(qwen_folder: Path) -> None:
    recipe = read_picture_recipe(qwen_folder)

    assert recipe.limits == ImageLimits(min_pixels=4096, max_pixels=16_777_216)
    assert (recipe.temporal_patch, recipe.mean, recipe.std) == (2, (0.5,) * 3, (0.5,) * 3)
    assert recipe.rescale_factor == 1 / 255


def test_words_within_the_processors_file_win(qwen_copy: Path) -> None:
    say(qwen_copy, rescale_factor=0.5)
    nested = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "size": {"shortest_edge": 1024, "longest_edge": 2048},
        "patch_size": 8,
        "merge_size": 4,
        "temporal_patch_size": 1,
        "image_mean": [0, 0, 0],
        "image_std": [1, 1, 1],
        "rescale_factor": 0.25,
        "crop_size": None,
    }
    change_json(qwen_copy / "processor_config.json", image_processor=nested)

    recipe = read_picture_recipe(qwen_copy)

    assert recipe.limits == ImageLimits(patch_px=8, merge=4, min_pixels=1024, max_pixels=2048)
    assert recipe.rescale_factor == 0.25


def test_processors_file_without_pictures_leaves_them_to_their_own(qwen_copy: Path) -> None:
    change_json(qwen_copy / "processor_config.json", processor_class="Qwen3VLProcessor")

    assert read_picture_recipe(qwen_copy).limits.patch_px == 16


def test_old_names_of_the_bounds_win(qwen_copy: Path) -> None:
    say(qwen_copy, min_pixels=8192, max_pixels=9216)

    limits = read_picture_recipe(qwen_copy).limits

    assert (limits.min_pixels, limits.max_pixels) == (8192, 9216)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param({"do_pad": True}, "says do_pad", id="unknown word"),
        pytest.param({"do_rescale": False}, "do_rescale is False", id="no scale"),
        pytest.param({"resample": 2}, "resample is 2", id="another filter"),
        pytest.param({"processor_class": "Other"}, "processor_class is 'Other'", id="class"),
        pytest.param({"image_processor_type": "Other"}, "want a Other", id="another processor"),
        pytest.param({"patch_size": None}, "patch_size is None", id="no patch"),
        pytest.param({"merge_size": 0}, "merge_size is 0", id="no merge"),
        pytest.param({"size": {"height": 1}}, "size of pictures", id="fixed size"),
        pytest.param({"size": {"longest_edge": 9}}, "shortest_edge is None", id="one bound"),
        pytest.param({"image_mean": [0.5]}, "image_mean is", id="one mean"),
        pytest.param({"image_std": ["a", "b", "c"]}, "image_std is", id="no numbers"),
        pytest.param({"rescale_factor": "1"}, "rescale_factor is '1'", id="no factor"),
    ],
)
def test_words_that_are_not_known_are_refused(
    qwen_copy: Path, words: dict[str, object], reason: str
) -> None:
    say(qwen_copy, **words)

    with pytest.raises(UnsupportedProcessorError, match=reason):
        read_picture_recipe(qwen_copy)


def test_unknown_word_about_the_processor_is_refused(qwen_copy: Path) -> None:
    change_json(qwen_copy / "processor_config.json", image_token="<img>")

    with pytest.raises(UnsupportedProcessorError, match="says image_token"):
        read_picture_recipe(qwen_copy)


def test_missing_file_is_named(qwen_copy: Path) -> None:
    (qwen_copy / "preprocessor_config.json").unlink()

    with pytest.raises(InferenceError, match=r"preprocessor_config\.json: It is missing"):
        read_picture_recipe(qwen_copy)
