"""Many rows are multiplied in fp32, few rows as ever, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inference.backends.wide_products import MIN_ROWS, widen_products

WIDTH = 64


@pytest.fixture
def layer() -> nn.Linear:
    """Return a bf16 layer with random weights."""
    torch.manual_seed(0)
    return nn.Linear(WIDTH, WIDTH).to(torch.bfloat16).requires_grad_(requires_grad=False)


def error_of(layer: nn.Linear, rows: torch.Tensor) -> float:
    exact = nn.functional.linear(rows.double(), layer.weight.double(), layer.bias.double())
    return float((layer(rows).double() - exact).abs().mean())


def test_result_is_not_farther_from_the_truth_than_bf16s_own(layer: nn.Linear) -> None:
    rows = torch.randn(MIN_ROWS, WIDTH).to(torch.bfloat16)
    before = error_of(layer, rows)

    widen_products(layer)

    assert error_of(layer, rows) <= before * 1.01


def test_result_keeps_shape_and_type(layer: nn.Linear) -> None:
    widen_products(layer)

    product = layer(torch.zeros(2, MIN_ROWS, WIDTH, dtype=torch.bfloat16))

    assert product.shape == (2, MIN_ROWS, WIDTH)
    assert product.dtype is torch.bfloat16


def test_few_rows_are_multiplied_as_before(layer: nn.Linear) -> None:
    rows = torch.randn(1, WIDTH).to(torch.bfloat16)
    before = layer(rows)

    widen_products(layer)

    assert torch.equal(layer(rows), before)


def test_only_bf16_layers_are_changed() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4).to(torch.bfloat16), nn.ReLU())

    assert widen_products(model) == 1
    assert type(model[0]) is nn.Linear


def test_weights_keep_their_names(layer: nn.Linear) -> None:
    names = set(layer.state_dict())

    widen_products(layer)

    assert set(layer.state_dict()) == names
