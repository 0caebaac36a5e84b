"""What a service tells operators: how fast it answers, how full it is, what it computes with.

Plain numbers, which travel as JSON. Counters grow from the start of the service.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

from inference.backends.base import Emit
from inference.model_stats import ModelStats
from inference.reading_speed import ReadingSpeed
from inference.requests import Event, Finished, TextDelta
from inference.service_state import ServiceStats
from inference.token_rate import TokenRate

FIRST_TOKEN_BOUNDS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
MEMORY_FILE: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTokens:
    """How long requests waited for their first token, from their submission on.

    `counts` has a number for each of `bounds_s`, of waits up to it and longer than the bound
    before, and one of longer waits.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStats:
    """A service at one moment.

    `tokens` were written, at `tokens_per_s` over the last five seconds. `memory_bytes` of the
    process are in memory, shared ones too; 0 where the system does not say. `model` is None until
    one is loaded. Pictures and prompts are read at so many tokens a second; see `reading_speed`.
    """

    queued: int
    running: int
    slots: int
    finished: int
    failed: int
    tokens: int
    tokens_per_s: float
    first_tokens: FirstTokens
    memory_bytes: int
    model: ModelStats | None
    vision_tokens_per_s: float = 0.0
    prefill_tokens_per_s: float = 0.0

    @classmethod
    def decode(cls, told: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` and JSON made of one.

        Raises:
            KeyError, TypeError: another version wrote it.
        """
        first = told["first_tokens"]
        model = told["model"]
        return cls(
            **{
                **told,
                "first_tokens": FirstTokens(
                    bounds_s=tuple(first["bounds_s"]),
                    counts=tuple(first["counts"]),
                    sum_s=first["sum_s"],
                ),
                "model": None if model is None else ModelStats(**model),
            }
        )


class AnswerMeter:
    """Watches answers while they are written; used by all slots at once."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Start at zero."""
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = TokenRate(clock)
        self._reading = ReadingSpeed()
        self._waits = [0] * (len(FIRST_TOKEN_BOUNDS_S) + 1)
        self._waits_sum_s = 0.0

    def watch(self, emit: Emit, *, submitted_at: float) -> Emit:
        """Return a function that passes an answer's events on to `emit` and counts its tokens."""
        is_first = True

        def count(event: Event) -> None:
            nonlocal is_first
            if isinstance(event, TextDelta) and event.token_ids:
                self._count(len(event.token_ids), submitted_at if is_first else None)
                is_first = False
            emit(event)

        return count

    def count_end(self, ended: Finished) -> None:
        """Take note of an answer that ended."""
        with self._lock:
            self._reading.count(ended.usage, ended.timings)

    def read(self, service: ServiceStats, model: ModelStats | None) -> LiveStats:
        """Return everything at this moment."""
        with self._lock:
            return LiveStats(
                queued=service.queued,
                running=service.running,
                slots=service.slots,
                finished=service.finished,
                failed=service.failed,
                tokens=self._rate.total,
                tokens_per_s=self._rate.tokens_per_s,
                first_tokens=FirstTokens(
                    bounds_s=FIRST_TOKEN_BOUNDS_S,
                    counts=tuple(self._waits),
                    sum_s=self._waits_sum_s,
                ),
                memory_bytes=read_memory_bytes(),
                model=model,
                vision_tokens_per_s=self._reading.vision_tokens_per_s,
                prefill_tokens_per_s=self._reading.prefill_tokens_per_s,
            )

    def _count(self, tokens: int, submitted_at: float | None) -> None:
        with self._lock:
            self._rate.count(tokens)
            if submitted_at is not None:
                waited_s = self._clock() - submitted_at
                self._waits[bisect_left(FIRST_TOKEN_BOUNDS_S, waited_s)] += 1
                self._waits_sum_s += waited_s


def read_memory_bytes(source: Path = MEMORY_FILE) -> int:
    """Return what of this process is in memory; 0 where the system does not say."""
    try:
        pages = source.read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
