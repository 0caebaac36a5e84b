"""Matrix products over many rows in fp32, for bf16 weights on processors without bf16 arithmetic.

Such processors emulate bf16: over 300 rows a product is six times slower than in fp32, over one
row it is not. So reading a prompt or a picture turns each weight into fp32 for the moment of its
product, which costs a few percent of that product, and writing the answer uses the weights as they
are. Memory stays that of bf16, and the results are nearer to exact than bf16's own.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

# Below this, turning the weight costs more than it saves.
MIN_ROWS = 16


def widen_products(model: nn.Module) -> int:
    """Make every bf16 linear layer of `model` compute many rows in fp32.

    Return how many there are.
    """
    layers = [
        module
        for module in model.modules()
        if type(module) is nn.Linear and module.weight.dtype is torch.bfloat16
    ]
    for layer in layers:
        # The layer keeps its name, weights and hooks; only its arithmetic changes.
        layer.__class__ = WideLinear
    return len(layers)


class WideLinear(nn.Linear):
    """A linear layer with bf16 weights that multiplies many rows in fp32."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # the name in nn.Linear
        """Return the product, shape (..., out), in the type of the input, shape (..., in)."""
        if input.numel() < MIN_ROWS * self.in_features:
            return super().forward(input)
        bias = None if self.bias is None else self.bias.float()
        product = functional.linear(input.float(), self.weight.float(), bias)
        return product.to(input.dtype)
