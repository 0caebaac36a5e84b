"""The portable kernels: what packing loses, and what products and layers refuse."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from inference.config import Quantization
from inference.engine.kernels import portable
from inference.engine.kernels.base import (
    WEIGHT_GROUPS,
    Activation,
    Kernels,
    PackedMatrix,
    TextStep,
)
from inference.engine.kernels.portable import PortableKernels
from tests.inference.engine.conftest import Twins
from tests.inference.engine.twins import Engine

OUTPUTS, INPUTS = 50, 288  # of int8's groups the last one is short
EVERY = [pytest.param(quantization, id=quantization.value) for quantization in Quantization]
GROUPED = [
    pytest.param(Quantization.INT8, 1 / 127, id="int8"),
    pytest.param(Quantization.INT4, 1 / 8, id="int4"),
]


@pytest.fixture
def kernels() -> Kernels:
    """Return the kernels."""
    return PortableKernels()


@pytest.fixture
def weight() -> Tensor:
    """Return a random matrix."""
    return torch.randn(OUTPUTS, INPUTS, generator=torch.Generator().manual_seed(0))


def unpack(kernels: Kernels, matrix: PackedMatrix) -> Tensor:
    return kernels.unpack_rows(matrix, torch.arange(matrix.outputs))


def largest_of_group(weight: Tensor, group: int) -> Tensor:
    """Return for each weight the largest magnitude in its group."""
    padded = functional.pad(weight, (0, -weight.shape[1] % group))
    largest = padded.view(len(weight), -1, group).abs().amax(-1)
    return largest.repeat_interleave(group, dim=1)[:, : weight.shape[1]]


@pytest.mark.parametrize(("quantization", "step"), GROUPED)
def test_quantised_weight_is_within_one_step(
    kernels: Kernels, weight: Tensor, quantization: Quantization, step: float
) -> None:
    found = unpack(kernels, kernels.pack(weight, quantization))

    # A bfloat16 scale is up to 1 % larger. int8 rounds, half a step; in int4 the side without the
    # largest weight ends at seven steps, not eight.
    share = 0.51 if quantization is Quantization.INT8 else 1.01
    largest = largest_of_group(weight, WEIGHT_GROUPS[quantization])
    assert bool(((found - weight).abs() <= largest * step * share).all())


@pytest.mark.parametrize(("quantization", "levels"), [("int8", 255), ("int4", 16)])
def test_all_levels_are_used(kernels: Kernels, quantization: Quantization, levels: int) -> None:
    # One group a row, from -1 upwards; the scale is a power of two, so that it is not rounded. The
    # largest is there twice, or it would stand apart.
    step = 127 if levels == 255 else 8
    row = torch.arange(-step, levels - step).float() / 128
    row = functional.pad(row, (0, -len(row) % 30)).view(-1, 30)
    weight = torch.cat([torch.full((len(row), 2), -step / 128), row], dim=1)

    found = unpack(kernels, kernels.pack(weight, Quantization(quantization)))

    assert torch.equal(found, weight)


@pytest.mark.parametrize(
    "quantization", [Quantization.BF16, Quantization.FP32], ids=["bf16", "fp32"]
)
def test_bfloat16_checkpoint_is_kept_exactly(
    kernels: Kernels, weight: Tensor, quantization: Quantization
) -> None:
    narrow = weight.bfloat16()

    assert torch.equal(unpack(kernels, kernels.pack(narrow, quantization)), narrow.float())


@pytest.mark.parametrize(("quantization", "step"), GROUPED)
def test_outlier_costs_only_its_own_group(
    kernels: Kernels, weight: Tensor, quantization: Quantization, step: float
) -> None:
    before = unpack(kernels, kernels.pack(weight, quantization))
    weight[7, 140] = 1000 * weight.abs().median()

    after = unpack(kernels, kernels.pack(weight, quantization))

    touched = (before != after).nonzero()
    assert set(touched[:, 0].tolist()) == {7}
    group = WEIGHT_GROUPS[quantization]
    assert set((touched[:, 1] // group).tolist()) == {140 // group}
    assert after[7, 140] == pytest.approx(float(weight[7, 140]), rel=step)


@pytest.mark.parametrize("quantization", EVERY)
def test_group_of_zeros_stays_zero(kernels: Kernels, quantization: Quantization) -> None:
    matrix = kernels.pack(torch.zeros(2, INPUTS), quantization)

    assert not bool(unpack(kernels, matrix).any())


@pytest.mark.parametrize("rows", [1, 3, 130])
@pytest.mark.parametrize("quantization", EVERY)
def test_product_is_that_of_the_unpacked_weights(
    kernels: Kernels,
    weight: Tensor,
    quantization: Quantization,
    rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portable, "BLOCK_WEIGHTS", 16 * INPUTS)  # four blocks, the last one short
    matrix = kernels.pack(weight, quantization)
    x = torch.randn(rows, INPUTS)

    product = kernels.linear(x, matrix)

    assert torch.allclose(product, x @ unpack(kernels, matrix).T, atol=1e-4)


@pytest.mark.parametrize("quantization", EVERY)
def test_bias_and_activation_come_behind_the_product(
    kernels: Kernels, weight: Tensor, quantization: Quantization
) -> None:
    matrix = kernels.pack(weight, quantization)
    x, bias = torch.randn(3, INPUTS), torch.randn(OUTPUTS)
    expected = functional.gelu(kernels.linear(x, matrix) + bias, approximate="tanh")

    product = kernels.linear(x, matrix, bias, Activation.GELU_TANH)

    assert torch.allclose(product, expected, atol=1e-5)


@pytest.mark.parametrize("quantization", EVERY)
def test_matrix_is_packed_into_given_memory(
    kernels: Kernels, weight: Tensor, quantization: Quantization
) -> None:
    size = kernels.packed_bytes(OUTPUTS, INPUTS, quantization)
    out = torch.zeros(size, dtype=torch.uint8)

    matrix = kernels.pack(weight, quantization, out)

    assert matrix.data is out
    assert torch.equal(unpack(kernels, matrix), unpack(kernels, kernels.pack(weight, quantization)))


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [("int8", 8.25), ("int4", 4.5), ("bf16", 16), ("fp32", 32)],
)
def test_packed_size_is_weights_and_scales(
    kernels: Kernels, quantization: str, bits: float
) -> None:
    assert kernels.packed_bytes(64, 128, Quantization(quantization)) == 64 * 128 * bits / 8


def test_layouts_tell_kernels_and_form(kernels: Kernels) -> None:
    assert kernels.name == "portable"
    assert kernels.layout(Quantization.INT4) == "portable-int4-v2"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        pytest.param((4,), "expected a matrix", id="vector"),
        pytest.param((4, 40), "multiple of 32 inputs, got 40", id="broken-group"),
    ],
)
def test_weight_of_another_shape_is_refused(
    kernels: Kernels, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kernels.pack(torch.zeros(shape), Quantization.INT8)


@pytest.mark.parametrize(
    "out",
    [
        pytest.param(torch.zeros(5, dtype=torch.uint8), id="size"),
        pytest.param(torch.zeros(OUTPUTS * INPUTS), id="type"),
    ],
)
def test_memory_that_does_not_fit_is_refused(kernels: Kernels, weight: Tensor, out: Tensor) -> None:
    with pytest.raises(ValueError, match="expected out to be"):
        kernels.pack(weight, Quantization.INT8, out)


def test_foreign_matrix_is_refused(kernels: Kernels, weight: Tensor) -> None:
    packed = kernels.pack(weight, Quantization.INT8)
    foreign = PackedMatrix("other-int8", Quantization.INT8, OUTPUTS, INPUTS, packed.data)

    with pytest.raises(ValueError, match="got other-int8"):
        kernels.linear(torch.zeros(1, INPUTS), foreign)
    with pytest.raises(ValueError, match="got other-int8"):
        kernels.unpack_rows(foreign, torch.zeros(1, dtype=torch.int64))


def test_rows_of_another_width_are_refused(kernels: Kernels, weight: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected x to be \(rows, 288\)"):
        kernels.linear(torch.zeros(2, INPUTS - 1), kernels.pack(weight, Quantization.INT8))


@pytest.fixture
def engine(tied: Twins) -> Engine:
    """Return a small model whose layers can be run."""
    return tied.engine()


def one_row(engine: Engine, **change: Tensor) -> TextStep:
    text = engine.shape.text
    parts: dict[str, Tensor] = {
        "hidden": torch.zeros(1, text.hidden),
        "cos": torch.ones(1, text.head_dim),
        "sin": torch.zeros(1, text.head_dim),
        "row_starts": torch.tensor([0, 1], dtype=torch.int32),
        "first_index": torch.tensor([0], dtype=torch.int32),
        "page_tables": torch.tensor([[0]], dtype=torch.int32),
        "cache": engine.cache,
        **change,
    }
    return TextStep(**parts)


@pytest.mark.parametrize(("first", "last"), [(-1, 1), (2, 1), (0, 4)])
def test_layers_that_do_not_exist_are_refused(engine: Engine, first: int, last: int) -> None:
    with pytest.raises(ValueError, match="expected layers within 0 to 3"):
        engine.text.layers.run(one_row(engine), first, last)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"row_starts": [0, 2]}, "row_starts from 0 to 1", id="too-many-rows"),
        pytest.param({"row_starts": [1, 1]}, "row_starts from 0 to 1", id="first-row-missing"),
        pytest.param({"row_starts": [0, 0, 1]}, "expected 2 sequences", id="a-sequence-missing"),
        pytest.param({"page_tables": [[-1]]}, "pages of sequence 0", id="no-page"),
        pytest.param({"page_tables": [[40]]}, "pages of sequence 0", id="page-beyond"),
        pytest.param({"first_index": [-1]}, "pages of sequence 0", id="before-the-first"),
        pytest.param({"first_index": [16]}, "pages of sequence 0", id="too-few-pages"),
    ],
)
def test_step_that_does_not_fit_together_is_refused(
    engine: Engine, change: dict[str, list[int]], message: str
) -> None:
    tensors = {name: torch.tensor(value, dtype=torch.int32) for name, value in change.items()}

    with pytest.raises(ValueError, match=message):
        engine.text.layers.run(one_row(engine, **tensors), 0, 1)


def test_rows_without_their_angles_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="expected cos"):
        engine.text.layers.run(one_row(engine, cos=torch.ones(2, 32)), 0, 1)


def test_sequence_without_rows_is_passed_over(engine: Engine) -> None:
    nothing = {
        "row_starts": torch.tensor([0, 1, 1], dtype=torch.int32),
        "first_index": torch.tensor([0, 0], dtype=torch.int32),
        "page_tables": torch.tensor([[0], [-1]], dtype=torch.int32),
    }
    alone, beside = (
        one_row(engine, hidden=torch.ones(1, engine.shape.text.hidden), **change)
        for change in ({}, nothing)
    )

    engine.text.layers.run(alone, 0, 3)
    engine.text.layers.run(beside, 0, 3)

    assert torch.equal(beside.hidden, alone.hidden)


@pytest.mark.parametrize(
    "bounds", [[0, 3], [1, 4], [0, 3, 2, 4], []], ids=["short", "late", "backwards", "none"]
)
def test_bounds_that_do_not_cover_the_patches_are_refused(
    engine: Engine, bounds: list[int]
) -> None:
    shape = engine.shape.vision
    hidden, angles = torch.zeros(4, shape.hidden), torch.zeros(4, shape.head_dim)

    with pytest.raises(ValueError, match="expected bounds"):
        engine.vision.layers.run(
            hidden, angles, angles, torch.tensor(bounds, dtype=torch.int32), 0, 1
        )
