"""The weights of the engine are the checkpoint's, each in its field, within the bounds of int8."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from inference.config import Quantization
from inference.demo import WEIGHTS_DIR
from inference.engine.kernels import available_kernels, choose_kernels
from inference.engine.kernels.base import WEIGHT_GROUPS, Kernels, PackedMatrix
from inference.engine.kernels.group_scales import split
from inference.engine.kernels.portable import PortableKernels
from inference.engine.packed_cache import Residence
from inference.engine.shape import read_shape
from inference.engine.weights import ModelWeights, load_weights
from inference.errors import InferenceError
from tests.inference.engine.safetensors_files import write_one

Plant = Callable[[Tensor], Tensor]

KERNELS = PortableKernels()
TEXT_LAYER = "model.language_model.layers.0."
QUERIES = f"{TEXT_LAYER}self_attn.q_proj.weight"
# A scale is a 127th of the group's largest weight, rounded up to bfloat16, and a weight is off by
# half a scale at most. The last factor pays for float32 sums and 16-bit activations.
HALF_STEP = (1 + 2**-7) / 127 / 2 * 1.01
GROUP = WEIGHT_GROUPS[Quantization.INT8]
# An outlier among the weights stands apart; among activations its neighbours keep a rest. What the
# model's own weights have without any is 0.7 %.
OUTLIER_BOUND = 0.01
OUTLIER = 1000.0


def load(folder: Path, quantization: Quantization = Quantization.FP32) -> ModelWeights:
    return load_weights(folder, read_shape(folder), KERNELS, quantization)


def unpack(matrix: PackedMatrix, kernels: Kernels = KERNELS) -> Tensor:
    return kernels.unpack_rows(matrix, torch.arange(matrix.outputs))


def stored(folder: Path) -> dict[str, Tensor]:
    return {
        name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()
    }


def test_text_layer_has_the_tensors_of_its_place(untied_folder: Path) -> None:
    expected, number = stored(untied_folder), 2
    disk = f"model.language_model.layers.{number}."

    layer = load(untied_folder).text_layers[number]

    attention = [expected[f"{disk}self_attn.{letter}_proj.weight"] for letter in "qkv"]
    inner = [expected[f"{disk}mlp.{name}_proj.weight"] for name in ("gate", "up")]
    assert torch.equal(unpack(layer.qkv), torch.cat(attention))
    assert torch.equal(unpack(layer.gate_up), torch.cat(inner))
    assert torch.equal(unpack(layer.o), expected[f"{disk}self_attn.o_proj.weight"])
    assert torch.equal(unpack(layer.down), expected[f"{disk}mlp.down_proj.weight"])
    assert torch.equal(layer.input_norm, expected[f"{disk}input_layernorm.weight"])
    assert torch.equal(layer.post_norm, expected[f"{disk}post_attention_layernorm.weight"])
    assert torch.equal(layer.q_norm, expected[f"{disk}self_attn.q_norm.weight"])
    assert torch.equal(layer.k_norm, expected[f"{disk}self_attn.k_norm.weight"])


def test_vision_layer_has_the_tensors_of_its_place(untied_folder: Path) -> None:
    expected, number = stored(untied_folder), 1
    layer = load(untied_folder).vision.layers[number]
    modules = {
        "qkv": "attn.qkv",
        "proj": "attn.proj",
        "fc1": "mlp.linear_fc1",
        "fc2": "mlp.linear_fc2",
        "norm1": "norm1",
        "norm2": "norm2",
    }

    found = {field.name: getattr(layer, field.name) for field in fields(layer)}

    assert len(found) == 2 * len(modules)
    for name, module in modules.items():
        disk = f"model.visual.blocks.{number}.{module}"
        weight = found.get(f"{name}_weight")
        weight = unpack(found[name]) if weight is None else weight
        assert torch.equal(weight, expected[f"{disk}.weight"])
        assert torch.equal(found[f"{name}_bias"], expected[f"{disk}.bias"])


@pytest.mark.parametrize(
    ("level", "disk"),
    [(None, "merger"), (0, "deepstack_merger_list.0"), (2, "deepstack_merger_list.2")],
    ids=["merger", "first-deep", "last-deep"],
)
def test_merger_has_the_tensors_of_its_place(
    untied_folder: Path, level: int | None, disk: str
) -> None:
    expected = stored(untied_folder)
    vision = load(untied_folder).vision

    merger = vision.merger if level is None else vision.deepstack[level]

    disk = f"model.visual.{disk}"
    assert merger.is_post_shuffle == (level is not None)
    assert torch.equal(merger.norm_weight, expected[f"{disk}.norm.weight"])
    assert torch.equal(merger.norm_bias, expected[f"{disk}.norm.bias"])
    assert torch.equal(unpack(merger.fc1), expected[f"{disk}.linear_fc1.weight"])
    assert torch.equal(merger.fc1_bias, expected[f"{disk}.linear_fc1.bias"])
    assert torch.equal(unpack(merger.fc2), expected[f"{disk}.linear_fc2.weight"])
    assert torch.equal(merger.fc2_bias, expected[f"{disk}.linear_fc2.bias"])


def test_both_ends_have_their_tensors(untied_folder: Path) -> None:
    expected = stored(untied_folder)

    weights = load(untied_folder)

    patches = expected["model.visual.patch_embed.proj.weight"].flatten(1)
    assert torch.equal(
        unpack(weights.embedding), expected["model.language_model.embed_tokens.weight"]
    )
    assert torch.equal(unpack(weights.lm_head), expected["lm_head.weight"])
    assert torch.equal(weights.final_norm, expected["model.language_model.norm.weight"])
    assert torch.equal(unpack(weights.vision.patch_embed), patches)
    assert torch.equal(weights.vision.patch_bias, expected["model.visual.patch_embed.proj.bias"])
    assert torch.equal(weights.vision.positions, expected["model.visual.pos_embed.weight"])


def test_tied_output_layer_is_the_embedding_itself(tied_folder: Path) -> None:
    weights = load(tied_folder)

    assert weights.lm_head is weights.embedding


def test_weights_know_their_shape_and_form() -> None:
    weights = load(WEIGHTS_DIR, Quantization.INT4)

    assert weights.shape == read_shape(WEIGHTS_DIR)
    assert weights.quantization is Quantization.INT4
    assert weights.embedding.quantization is Quantization.INT8
    assert weights.text_layers[0].down.quantization is Quantization.INT4


@pytest.mark.parametrize("residence", Residence)
def test_weights_from_the_cache_are_those_that_were_packed(
    tied_folder: Path, tmp_path: Path, residence: Residence
) -> None:
    shape = read_shape(tied_folder)
    packed = load_weights(tied_folder, shape, KERNELS, Quantization.INT8)

    for _ in range(2):
        cached = load_weights(
            tied_folder,
            shape,
            KERNELS,
            Quantization.INT8,
            cache_dir=tmp_path / "cache",
            residence=residence,
        )

    assert torch.equal(unpack(cached.lm_head), unpack(packed.lm_head))
    assert torch.equal(unpack(cached.text_layers[-1].down), unpack(packed.text_layers[-1].down))
    assert torch.equal(cached.vision.positions, packed.vision.positions)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_checkpoint_that_does_not_fit_its_config_is_refused(
    tied_folder: Path, untied_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tied_folder, tmp_path / "model"))
    shape = read_shape(untied_folder)

    with pytest.raises(InferenceError, match=r"model/model.safetensors: .*embed_tokens"):
        load_weights(folder, shape, KERNELS, Quantization.INT8)


def plant_in_weights(weight: Tensor) -> Tensor:
    """Return weights with one outlier in one group of each output."""
    planted = weight.clone()
    rows = torch.arange(len(weight))
    planted[rows, rows * 7 % weight.shape[1]] = OUTLIER * weight.abs().median()
    return planted


def plant_in_activations(x: Tensor) -> Tensor:
    """Return activations with two channels of outliers, as the Qwen family has them."""
    planted = x.clone()
    planted[:, [3, -5]] *= OUTLIER * x.abs().median() / x[:, [3, -5]].abs()
    return planted


def by_group(rows: Tensor) -> Tensor:
    """Return magnitudes (n, groups, 128) of rows (n, K), zeros behind the end."""
    return split(rows.abs(), GROUP)


def keep(tensor: Tensor) -> Tensor:
    return tensor


@pytest.fixture(params=available_kernels())
def kernels(request: pytest.FixtureRequest) -> Kernels:
    """Return each set of kernels that this machine can run."""
    return choose_kernels(request.param, threads=1)


@pytest.fixture
def draws() -> tuple[Tensor, Tensor]:
    """Return weights of the demo model's queries (N, K), and activations (M, K)."""
    generator = torch.Generator().manual_seed(3)
    weight = stored(WEIGHTS_DIR)[QUERIES]
    return weight, torch.randn(16, weight.shape[1], generator=generator)


def multiply(folder: Path, kernels: Kernels, weight: Tensor, x: Tensor) -> Tensor:
    """Return the product of activations with a checkpoint's queries, loaded as int8."""
    shutil.copy(WEIGHTS_DIR / "config.json", folder)
    write_one(folder, load_file(WEIGHTS_DIR / "model.safetensors") | {QUERIES: weight})
    weights = load_weights(folder, read_shape(folder), kernels, Quantization.INT8)
    return kernels.linear(x, weights.text_layers[0].qkv)[:, : len(weight)]


@pytest.mark.parametrize("plant_x", [keep, plant_in_activations], ids=["plain-x", "outlier-x"])
@pytest.mark.parametrize("plant_w", [keep, plant_in_weights], ids=["plain-w", "outlier-w"])
def test_error_of_int8_stays_in_the_group_that_causes_it(
    tmp_path: Path, kernels: Kernels, draws: tuple[Tensor, Tensor], plant_w: Plant, plant_x: Plant
) -> None:
    weight, x = plant_w(draws[0]), plant_x(draws[1])

    error = (multiply(tmp_path, kernels, weight, x) - x @ weight.T).abs()

    # By group: half a step of its own scale, times its own activations. (M, groups) x (groups, N)
    bound = HALF_STEP * by_group(x).sum(-1) @ by_group(weight).amax(-1).T
    assert (error <= bound).all()


@pytest.mark.parametrize(
    ("plant_w", "plant_x"),
    [(keep, keep), (plant_in_weights, keep), (keep, plant_in_activations)],
    ids=["no-outlier", "outliers-in-weights", "outliers-in-activations"],
)
def test_outliers_leave_the_relative_error_of_int8_small(
    tmp_path: Path, kernels: Kernels, draws: tuple[Tensor, Tensor], plant_w: Plant, plant_x: Plant
) -> None:
    weight, x = plant_w(draws[0]), plant_x(draws[1])
    exact = x @ weight.T

    product = multiply(tmp_path, kernels, weight, x)

    assert (product - exact).norm() <= OUTLIER_BOUND * exact.norm()
