"""The tower gives the features of transformers, for many pictures at once and layer by layer."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import pytest
import torch
from torch import Tensor

from inference.config import Quantization
from inference.engine.kernels.base import Kernels
from inference.engine.vision import PictureFeatures, PicturePatches, VisionPass, VisionTower
from tests.inference.engine.conftest import Twins

# Of the largest value: the features of a trained tower go into the hundreds.
TOLERANCE = 1e-4
GRIDS = ((4, 6), (8, 2), (2, 2))


class Stopped(Exception):
    """Raised by a watch to end the work."""


@pytest.fixture
def tower(tied: Twins) -> VisionTower:
    """Return the tower of a small model."""
    return tied.engine().vision


@pytest.fixture
def pictures(tied: Twins) -> list[PicturePatches]:
    """Return pictures of different sizes."""
    return tied.prompts().draw(*GRIDS).pictures


@torch.inference_mode()
def reference_features(
    twins: Twins, pictures: list[PicturePatches]
) -> list[tuple[Tensor, list[Tensor]]]:
    """Return tokens and deep-stack levels of each picture, by transformers."""
    output = twins.reference.model.get_image_features(
        torch.cat([picture.pixels for picture in pictures]),
        torch.tensor([[1, picture.rows, picture.columns] for picture in pictures]),
        return_dict=True,
    )
    return [
        (tokens, [level[number] for level in output.deepstack_features])
        for number, tokens in enumerate(output.pooler_output)
    ]


def assert_close(features: PictureFeatures, other: PictureFeatures) -> None:
    for found, expected in ((features.tokens, other.tokens), (features.deep, other.deep)):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()


@pytest.mark.reference
def test_pictures_have_the_features_of_transformers(twins: Twins, kernels: Kernels) -> None:
    pictures = twins.prompts().draw(*GRIDS).pictures
    expected = reference_features(twins, pictures)

    features = twins.engine(kernels=kernels).vision.encode(pictures)

    for found, (tokens, levels) in zip(features, expected, strict=True):
        assert_close(found, PictureFeatures(tokens, torch.stack(levels)))


def test_bytes_with_their_scale_are_the_numbers_of_the_same_picture(tower: VisionTower) -> None:
    channels, frames = 3, 2
    width = tower.shape.patch_inputs // frames
    pixels = torch.randint(256, (16, width), generator=torch.Generator().manual_seed(1))
    scale = torch.tensor([[120.0, 127.5, 130.0], [60.0, 127.5, 70.0]])
    numbers = pixels.view(16, channels, 1, -1).float()
    numbers = (numbers - scale[0].view(3, 1, 1)) / scale[1].view(3, 1, 1)
    plain = PicturePatches(numbers.repeat(1, 1, frames, 1).view(16, -1), 4, 4)

    [found] = tower.encode([PicturePatches(pixels.to(torch.uint8), 4, 4, scale)])

    [expected] = tower.encode([plain])
    assert torch.equal(found.tokens, expected.tokens)


def test_bytes_of_another_size_than_the_grid_are_refused(tower: VisionTower) -> None:
    pixels = torch.zeros((15, tower.shape.patch_inputs // 2), dtype=torch.uint8)

    with pytest.raises(ValueError, match="expected pixels of shape"):
        tower.start([PicturePatches(pixels, 4, 4, torch.ones(2, 3))])


def test_pictures_of_a_batch_do_not_see_each_other(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    together = tower.encode(pictures)

    for number, picture in enumerate(pictures):
        assert_close(together[number], tower.encode([picture])[0])


def test_features_do_not_share_memory_with_their_batch(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    first = tower.encode(pictures)[0]

    assert first.tokens.untyped_storage().nbytes() == first.tokens.nbytes
    assert first.deep.untyped_storage().nbytes() == first.deep.nbytes


@pytest.mark.parametrize(
    ("quantization", "dtype"),
    [
        (Quantization.INT8, torch.bfloat16),
        (Quantization.INT4, torch.bfloat16),
        (Quantization.BF16, torch.float32),
        (Quantization.FP32, torch.float32),
    ],
)
def test_features_take_half_of_the_memory_beside_quantised_weights(
    tied: Twins, pictures: list[PicturePatches], quantization: Quantization, dtype: torch.dtype
) -> None:
    [features, *_] = tied.engine(quantization).vision.encode(pictures)

    assert (features.tokens.dtype, features.deep.dtype) == (dtype, dtype)


def test_model_without_deep_stack_has_no_levels(
    tied: Twins, pictures: list[PicturePatches]
) -> None:
    engine = tied.engine()
    shape = replace(engine.shape, vision=replace(engine.shape.vision, deepstack=()))
    tower = VisionTower(replace(engine.weights, shape=shape), engine.vision.kernels)

    features = tower.encode(pictures)

    assert [f.deep.shape for f in features] == [(0, *f.tokens.shape) for f in features]


def test_watch_is_told_each_layer_before_it_runs(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    told: list[tuple[int, int]] = []

    tower.encode(pictures, lambda done, layers: told.append((done, layers)))

    assert told == [(0, 3), (1, 3), (2, 3)]


def test_watch_ends_the_work_between_two_layers(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    def stop_after_one(done: int, layers: int) -> None:
        if done == 1:
            raise Stopped

    with pytest.raises(Stopped):
        tower.encode(pictures, stop_after_one)


def end_layer(run: VisionPass) -> bool:
    """Run the rest of a layer; say whether any are left."""
    before = run.layers_done
    while run.step() and run.layers_done == before:
        pass
    return run.layers_done < run.layers


def test_pass_runs_a_part_of_a_layer_a_step(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    run = tower.start(pictures)
    edges = torch.tensor([0, *accumulate(each.grid.patches for each in pictures)])
    parts = tower.layers.parts(edges.int())

    steps = [run.layers_done, *((run.step(), run.layers_done)[1] for _ in range(3 * parts))]

    assert steps == [*(layer for layer in range(3) for _ in range(parts)), 3]


def test_passes_may_take_turns_after_layers(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    first, second = tower.start(pictures[:1]), tower.start(pictures[1:])

    while end_layer(first) | end_layer(second):
        pass

    for found, alone in zip(first.features() + second.features(), pictures, strict=True):
        assert_close(found, tower.encode([alone])[0])


def test_features_are_refused_before_the_last_layer(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    run = tower.start(pictures)
    end_layer(run)

    with pytest.raises(ValueError, match="2 layers are left"):
        run.features()


def test_step_behind_the_last_layer_is_refused(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    run = tower.start(pictures)
    while run.step():
        pass

    with pytest.raises(ValueError, match="all 3 layers are done"):
        run.step()


def test_no_picture_is_refused(tower: VisionTower) -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        tower.start([])


def test_pixels_of_another_grid_are_refused(
    tower: VisionTower, pictures: list[PicturePatches]
) -> None:
    with pytest.raises(ValueError, match=r"expected pixels of shape \(16, 1536\)"):
        tower.start([replace(pictures[0], rows=4, columns=4)])
