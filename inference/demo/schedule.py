"""How far a training run is: wall time spent, steps, learning rates, when to save and report."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from inference.demo.team import Team

logger = logging.getLogger(__name__)
WARM_UP_STEPS = 60
FLOOR = 0.02


def rate_factor(step: int, spent: float, cooldown: float) -> float:
    """Warm up, hold, then fall linearly over the last `cooldown` share of the budget.

    `spent` is the share of the wall-time budget that is gone, 0..1.
    """
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    left = max(0.0, 1.0 - spent)
    fall = 1.0 if left >= cooldown else FLOOR + (1.0 - FLOOR) * left / cooldown
    return warm * fall


@dataclass(slots=True)
class Progress:
    """State of one stage; `seen` counts pictures and doubles as the next picture's index."""

    stage: str
    seed: int
    batch: int
    budget_s: float
    max_steps: int | None = None
    cooldown: float = 0.35
    report_every_s: float = 120.0
    save_every_s: float = 180.0
    save: Callable[[], None] = lambda: None
    step: int = 0
    seen: int = 0
    spent_s: float = 0.0
    clip: float = 1.0
    team: Team = field(default_factory=Team)
    _started: bool = False
    _clock: float = field(default_factory=time.monotonic)
    _reported_s: float = 0.0
    _saved_s: float = 0.0
    _smooth: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of the budget that is spent, 0..1."""
        by_steps = self.step / self.max_steps if self.max_steps else 0.0
        return min(1.0, max(self.spent_s / self.budget_s, by_steps))

    def next_step(self, optimisers: Sequence[torch.optim.Optimizer]) -> bool:
        """Apply the gradients of the last step, if any, and say whether another one fits."""
        if self._started:
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = group["peak"] * rate_factor(self.step, self.share, self.cooldown)
                    self.team.average(group["params"])
                    torch.nn.utils.clip_grad_norm_(group["params"], self.clip)
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            self.step += 1
            self.seen += self.batch * self.team.size
        else:
            self._reported_s = self._saved_s = self.spent_s
            self._clock = time.monotonic()
        self._started = True
        now = time.monotonic()
        self.spent_s = self.team.agree(self.spent_s + now - self._clock)
        self._clock = now
        if self.spent_s - self._saved_s > self.save_every_s:
            self._saved_s = self.spent_s
            if self.team.is_lead:
                self.save()
        return self.share < 1.0

    @property
    def first(self) -> int:
        """Index of this process's first picture of the step."""
        return self.seen + self.team.rank * self.batch

    def record(self, **values: float) -> None:
        """Smooth the named losses and log them now and then."""
        for name, value in values.items():
            if math.isnan(value):
                raise FloatingPointError(f"{name} is not a number at step {self.step}")
            self._smooth[name] = 0.98 * self._smooth.get(name, value) + 0.02 * value
        if self.step % 50 == 0 and self.team.is_lead:
            losses = " ".join(f"{name} {value:.4f}" for name, value in self._smooth.items())
            logger.info(
                "%s %.0fs step %d seen %d %s",
                self.stage,
                self.spent_s,
                self.step,
                self.seen,
                losses,
            )

    def is_report_due(self) -> bool:
        """Whether it is time to measure on held-out pictures; only ever true for the lead."""
        due = self.team.is_lead and self.spent_s - self._reported_s > self.report_every_s
        if due:
            self._reported_s = self.spent_s
        return due
