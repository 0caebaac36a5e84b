"""Rows of the cache in eight bits: what they lose, what an outlier costs, how large they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inference.config import Quantization
from inference.engine.kernels.cache_rows import cache_dtype, narrow, row_width, widen
from tests.inference.engine.kernels.reference import random

WIDTH, GROUP = 128, 32
OUTLIER = 1000.0
MEDIAN = 0.6745  # of the magnitudes of normal numbers
# A bfloat16 scale is up to 1 % larger than a 127th of the group's largest number.
HALF_STEP = 0.505 / 127


@pytest.fixture
def keys() -> Tensor:
    """Return random keys (tokens, C, D)."""
    return random(50, 2, WIDTH, seed=0)


def store(numbers: Tensor) -> Tensor:
    """Return numbers as the cache gives them back."""
    return widen(narrow(numbers, torch.int8), numbers.shape[-1])


def half_steps(numbers: Tensor) -> Tensor:
    """Return for each number half a step of its group."""
    groups = numbers.abs().reshape(*numbers.shape[:-1], -1, GROUP)
    return HALF_STEP * groups.amax(-1).repeat_interleave(GROUP, dim=-1)


@pytest.mark.parametrize(
    ("quantization", "dtype", "width"),
    [
        pytest.param(Quantization.INT8, torch.int8, 144, id="int8"),
        pytest.param(Quantization.INT4, torch.int8, 144, id="int4"),
        pytest.param(Quantization.BF16, torch.bfloat16, 128, id="bf16"),
        pytest.param(Quantization.FP32, torch.float32, 128, id="fp32"),
    ],
)
def test_only_quantised_weights_have_rows_of_eight_bits(
    keys: Tensor, quantization: Quantization, dtype: torch.dtype, width: int
) -> None:
    rows = narrow(keys, cache_dtype(quantization))

    assert cache_dtype(quantization) is dtype
    assert row_width(WIDTH, dtype) == width
    assert rows.shape == (50, 2, width)
    assert rows.dtype is dtype


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["bf16", "fp32"])
def test_floats_are_kept_in_their_format(keys: Tensor, dtype: torch.dtype) -> None:
    assert torch.equal(widen(narrow(keys, dtype), WIDTH), keys.to(dtype).float())


def test_a_number_is_within_half_a_step(keys: Tensor) -> None:
    assert bool(((store(keys) - keys).abs() <= half_steps(keys)).all())


@pytest.mark.parametrize("channels", [[5], [5, 69], [0, 32, 64, 127]], ids=["1", "2", "4"])
@pytest.mark.parametrize("sign", [-1, 1], ids=["below", "above"])
def test_an_outlier_of_a_group_costs_its_neighbours_nothing(
    keys: Tensor, channels: list[int], sign: int
) -> None:
    others = keys.index_fill(-1, torch.tensor(channels), 0)
    planted = keys.index_fill(-1, torch.tensor(channels), sign * OUTLIER * MEDIAN)

    found = store(planted)

    assert torch.equal(found[..., channels], planted[..., channels].bfloat16().float())
    error = (found - planted).index_fill(-1, torch.tensor(channels), 0).abs()
    assert bool((error <= half_steps(others)).all())


def test_a_second_outlier_costs_its_own_group_only(keys: Tensor) -> None:
    planted = keys.index_fill(-1, torch.tensor([5, 9]), OUTLIER * MEDIAN)

    error = (store(planted) - planted).abs()

    assert bool((error[..., :GROUP] <= half_steps(planted)[..., :GROUP]).all())
    assert torch.equal(store(planted)[..., GROUP:], store(keys)[..., GROUP:])


def test_a_row_does_not_depend_on_the_rows_beside_it(keys: Tensor) -> None:
    alone = torch.stack([narrow(token, torch.int8) for token in keys])

    assert torch.equal(narrow(keys, torch.int8), alone)


def test_zeros_stay_zeros() -> None:
    rows = narrow(torch.zeros(3, WIDTH), torch.int8)

    assert not rows.any()
    assert not widen(rows, WIDTH).any()


@pytest.mark.parametrize("value", [torch.nan, torch.inf], ids=["nan", "infinite"])
def test_what_is_no_number_spoils_its_own_group_and_is_never_hidden(
    keys: Tensor, value: float
) -> None:
    keys[3, 1, 40] = value

    is_spoilt = store(keys).isnan()

    assert bool(is_spoilt[3, 1, 32:64].all())
    assert int(is_spoilt.sum()) == GROUP


def test_the_last_group_may_be_shorter() -> None:
    keys = random(9, 48, seed=1)

    assert narrow(keys, torch.int8).shape == (9, row_width(48, torch.int8))
    assert float((store(keys) - keys).abs().max()) <= HALF_STEP * float(keys.abs().max())
