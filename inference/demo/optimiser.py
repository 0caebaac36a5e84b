"""Muon for hidden matrices, AdamW for everything else, in float32 on a CPU.

torch.optim.Muon iterates in bfloat16, which a processor without bfloat16 units emulates slowly.
Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from inference.demo.team import Team

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Push the singular values of a stack (K, rows, columns) towards one by Newton-Schulz."""
    a, b, c = _NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalised updates of matrices; same-shaped ones go through together.

    The members of a team share the matrices out among them.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        *,
        momentum: float = 0.95,
        decay: float = 0.0,
        team: Team | None = None,
    ) -> None:
        self._team = team or Team()
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    shapes[p.shape].append(p)
            for shape, params in shapes.items():
                updates = []
                for p in params:
                    state = self.state[p]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(p)
                    state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(state["momentum"], group["momentum"]))
                # The factor keeps an update's root mean square near 0.2, as AdamW's is.
                scale = group["lr"] * 0.2 * max(shape) ** 0.5
                stack = torch.stack(updates)
                mine = slice(self._team.rank, None, self._team.size)
                shared = torch.zeros_like(stack)
                if len(stack[mine]):
                    shared[mine] = orthogonalise(stack[mine])
                self._team.add_up(shared)
                for p, update in zip(params, shared, strict=True):
                    p.mul_(1 - group["lr"] * group["decay"]).add_(update, alpha=-scale)


def build_optimisers(
    modules: Iterable[nn.Module], *, lr: float, muon_lr: float | None, team: Team
) -> list[torch.optim.Optimizer]:
    """AdamW for embeddings, norms, biases, first layer and big mergers; Muon for the rest.

    `muon_lr` None means AdamW for all. Each group carries its `peak` learning rate.
    """
    matrices, plain, decayed = [], [], []
    for module in modules:
        for name, p in module.named_parameters():
            hidden = p.ndim == 2 and ("blocks" in name or "layers" in name or "fc2" in name)
            if muon_lr is not None and hidden:
                matrices.append(p)
            elif p.ndim >= 2 and "embed" not in name:
                decayed.append(p)
            else:
                plain.append(p)
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": decayed, "weight_decay": 0.02}]
    adam = torch.optim.AdamW([g for g in groups if g["params"]], lr=lr, betas=(0.9, 0.98), eps=1e-8)
    optimisers: list[torch.optim.Optimizer] = [adam]
    if muon_lr is not None and matrices:
        optimisers.append(Muon(matrices, lr=muon_lr, decay=0.02, team=team))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers
