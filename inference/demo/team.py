"""Several one-threaded processes that train one model together.

Two processes that meet once a step stand a shared machine far better than two threads that meet in
every operation, and they draw their pictures at the same time.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn


class Team:
    """A process's place among `size` equal ones; alone when no group was joined."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        """Take a place; the lead has rank nought."""
        self.rank, self.size = rank, size

    @property
    def is_lead(self) -> bool:
        """Whether this process saves, reports and keeps the clock."""
        return self.rank == 0

    def average(self, params: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the team."""
        grads = [p.grad for p in params if p.grad is not None]
        if self.size == 1 or not grads:
            return
        flat = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [grad.numel() for grad in grads])
        for grad, part in zip(grads, parts, strict=True):
            grad.copy_(part.view_as(grad))

    def add_up(self, tensor: Tensor) -> Tensor:
        """Sum of a tensor over the team, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def agree(self, value: float) -> float:
        """Hear the lead's value."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared.item())


def _join(rank: int, size: int, meeting: Path, work: Callable[[Team], None]) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    try:
        work(Team(rank, size))
    finally:
        dist.destroy_process_group()


def run_team(size: int, folder: Path, work: Callable[[Team], None]) -> None:
    """Run `work` in `size` processes with one thread each; in this one if that is a single one.

    `folder` is where the processes meet through a file. `work` must be picklable.
    """
    if size == 1:
        work(Team())
        return
    meeting = folder.resolve() / f"meeting-{os.getpid()}"
    try:
        spawn(_join, (size, meeting, work), nprocs=size)  # type: ignore[no-untyped-call]
    finally:
        meeting.unlink(missing_ok=True)
