"""Muon for hidden matrices, AdamW for everything else, in float32 on a CPU.

torch.optim.Muon iterates in bfloat16, which a processor without bfloat16 units emulates slowly.
Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
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
    straight: Tensor = x.mT if tall else x
    return straight


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalised updates of matrices; same-shaped ones go through together.

    The members of a team share the matrices out among them.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        *,
        momentum: float = 0.95,
        decay: float = 0.0,
        team: Team | None = None,
    ) -> None:
        """Remember the rates; `team` shares the matrices out."""
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
                stack = torch.stack([self._gathered(p, group["momentum"]) for p in params])
                # The factor keeps an update's root mean square near 0.2, as AdamW's is.
                scale = group["lr"] * 0.2 * max(shape) ** 0.5
                for p, update in zip(params, self._orthogonal(stack), strict=True):
                    p.mul_(1 - group["lr"] * group["decay"]).add_(update, alpha=-scale)

    def _gathered(self, p: nn.Parameter, momentum: float) -> Tensor:
        """Add a gradient to its running mean; give Nesterov's look ahead."""
        state, grad = self.state[p], p.grad
        if grad is None:
            raise ValueError("a parameter without a gradient has no update")
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(grad, 1 - momentum)
        return grad.lerp(state["momentum"], momentum)

    def _orthogonal(self, stack: Tensor) -> Tensor:
        """Orthogonalise a stack of matrices, each by one member of the team."""
        mine = slice(self._team.rank, None, self._team.size)
        shared = torch.zeros_like(stack)
        if len(stack[mine]):
            shared[mine] = orthogonalise(stack[mine])
        return self._team.add_up(shared)


def build_optimisers(
    modules: Mapping[str, nn.Module],
    *,
    lr: float,
    muon_lr: float,
    team: Team,
    slowness: Mapping[str, float] | None = None,
) -> list[torch.optim.Optimizer]:
    """AdamW for embeddings, norms, biases, first layer and big mergers; Muon for the rest.

    `slowness` lowers the rates of parameters whose name, after its module's, starts with a key.
    Each group carries its `peak` learning rate.
    """
    adam: list[dict[str, Any]] = []
    muon: list[dict[str, Any]] = []
    sorted_out: dict[tuple[str, float], list[nn.Parameter]] = defaultdict(list)
    for prefix, module in modules.items():
        for name, p in module.named_parameters(prefix):
            rates = [rate for start, rate in (slowness or {}).items() if name.startswith(start)]
            is_hidden = p.ndim == 2 and ("blocks" in name or "layers" in name or "fc2" in name)
            is_decayed = p.ndim >= 2 and "embed" not in name
            role = "muon" if is_hidden else "decayed" if is_decayed else "plain"
            sorted_out[role, rates[0] if rates else 1.0].append(p)
    for (role, rate), params in sorted(sorted_out.items(), key=lambda item: item[0]):
        if role == "muon":
            muon.append({"params": params, "lr": muon_lr * rate})
        else:
            decay = 0.02 if role == "decayed" else 0.0
            adam.append({"params": params, "lr": lr * rate, "weight_decay": decay})
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(adam, lr=lr, betas=(0.9, 0.98), eps=1e-8),
        Muon(muon, lr=muon_lr, decay=0.02, team=team),
    ]
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers
