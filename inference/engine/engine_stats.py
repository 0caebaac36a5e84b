"""What the engine says about itself at one moment, and the counting of chosen tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inference.engine.kv_cache import CacheStats
from inference.engine.picture_cache import PictureCacheStats
from inference.token_rate import TokenRate


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """The engine at one moment.

    `running` requests hold memory, and `decoding` of them are writing their answer; `waiting` ones
    do not yet. `tokens_per_s` is the speed of all answers together over the last five seconds,
    `chosen_tokens` their number since the start. Of `drafted_tokens`, which took a row each,
    `kept_tokens` were the chosen ones.
    """

    running: int
    waiting: int
    decoding: int
    tokens_per_s: float
    chosen_tokens: int
    drafted_tokens: int
    kept_tokens: int
    cache: CacheStats
    pictures: PictureCacheStats


class TokenMeter(TokenRate):
    """Counts tokens: chosen ones, how many a second, drafted ones, and those of them kept."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start at zero."""
        super().__init__(clock)
        self.drafted = 0
        self.kept = 0
