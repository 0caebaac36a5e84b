"""Who answers, where replies are answered by workers in other processes.

Workers say every `BEAT_S` what they are busy with; one that has been silent for `ALIVE_S` is gone.
All of it lies in Redis and expires by Redis' clock, so no two machines' clocks are compared.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from django.conf import settings

from chat.generation.redis_link import RedisAwayError
from inference.images import QWEN3_VL_LIMITS, ImageLimits, count_image_tokens
from inference.live_stats import LiveStats
from inference.model_stats import ModelStats
from inference.service import Phase, ServiceState

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Mapping

    from chat.generation.redis_link import RedisLink
    from inference.requests import PixelBudget
    from inference.service import InferenceService

__all__ = ["Beat", "LiveStats", "ModelStats", "RemoteWorkers"]

logger = logging.getLogger(__name__)

BEAT_S = 2.0
ALIVE_S = 8
WORKERS_KEY = "vl:workers"
STOPS_CHANNEL = "vl:stops"
# The state to show is that of the worker furthest on; a failed one only where there is no other.
FURTHEST_FIRST = (
    Phase.READY, Phase.WARMING, Phase.LOADING, Phase.DOWNLOADING, Phase.STARTING, Phase.FAILED,
)  # fmt: skip
NO_WORKER = ServiceState(phase=Phase.FAILED)


@dataclass(frozen=True, slots=True)
class Beat:
    """What one worker says of itself."""

    state: ServiceState
    slots: int
    image_limits: ImageLimits = QWEN3_VL_LIMITS
    owner: str = ""
    stats: LiveStats | None = None  # of a worker of another version there are none
    context_tokens: int = 0  # such a worker does not say

    @classmethod
    def of(cls, owner: str, service: InferenceService) -> Beat:
        """Ask a service what it is busy with."""
        return cls(
            service.state,
            service.slots,
            service.image_limits,
            owner,
            service.live_stats(),
            service.context_tokens,
        )

    def encode(self) -> str:
        """Write it as JSON, without the error: its text is for that worker's log."""
        state = {
            field.name: getattr(self.state, field.name)
            for field in fields(self.state)
            if field.name != "error"
        }
        limits = asdict(self.image_limits)
        stats = None if self.stats is None else asdict(self.stats)
        return json.dumps(
            {
                "state": state,
                "slots": self.slots,
                "image_limits": limits,
                "owner": self.owner,
                "stats": stats,
                "context_tokens": self.context_tokens,
            }
        )

    @classmethod
    def decode(cls, text: str) -> Beat:
        """Read what `encode` wrote."""
        told = json.loads(text)
        state = told["state"] | {"phase": Phase(told["state"]["phase"])}
        return cls(
            ServiceState(**state),
            told["slots"],
            ImageLimits(**told["image_limits"]),
            told.get("owner", ""),
            _decode_stats(told.get("stats")),
            told.get("context_tokens", 0),
        )


def _decode_stats(told: Mapping[str, Any] | None) -> LiveStats | None:
    """Read statistics, which are nothing to lose a beat for while versions change."""
    try:
        return None if told is None else LiveStats.decode(told)
    except (KeyError, TypeError) as error:
        logger.debug("workers: statistics of another version: %s", error)
        return None


def beat(link: RedisLink, owner: str, service: InferenceService) -> None:
    """Say what this worker is busy with; a lost beat is made good by the next one."""
    told = Beat.of(owner, service).encode()

    def write(redis: Any) -> None:
        redis.sadd(WORKERS_KEY, owner)
        redis.set(_worker_key(owner), told, ex=ALIVE_S)

    _try(link, write)


def leave(link: RedisLink, owner: str) -> None:
    """Say that this worker is gone."""
    _try(link, lambda redis: redis.delete(_worker_key(owner)))


def read_beats(link: RedisLink) -> list[Beat]:
    """Read what the workers alive say; forgets those that are gone.

    Raises:
        RedisAwayError: nobody knows.
    """

    def read(redis: Any) -> list[Beat]:
        owners = sorted(redis.smembers(WORKERS_KEY))
        told = redis.mget([_worker_key(owner) for owner in owners]) if owners else []
        gone = [owner for owner, text in zip(owners, told, strict=True) if text is None]
        if gone:
            redis.srem(WORKERS_KEY, *gone)
        return [Beat.decode(text) for text in told if text is not None]

    return link.run(read)


def tell_stop(link: RedisLink, reply_id: uuid.UUID) -> None:
    """Tell whoever writes this reply to stop; the flag on its row says so too."""
    _try(link, lambda redis: redis.publish(STOPS_CHANNEL, str(reply_id)))


def _try(link: RedisLink, work: Callable[[Any], object]) -> None:
    try:
        link.run(work)
    except RedisAwayError as error:
        logger.debug("workers: not told: %s", error)


def _worker_key(owner: str) -> str:
    return f"vl:worker:{owner}"


class RemoteWorkers:
    """The workers, as a web process sees them: looked at in the background, asked without waiting.

    Rings and stops go out at once. What a look finds changed is told to `on_change`.
    """

    def __init__(
        self, link: RedisLink, *, ring: Callable[[], None], on_change: Callable[[], None]
    ) -> None:
        """Prepare; nobody has looked before `start` or `look`."""
        self._link = link
        self._on_change = on_change
        self._beats: list[Beat] | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.ring = ring

    @property
    def has_worker(self) -> bool:
        """Whether any worker is alive; before the first look the answer is yes."""
        return self._beats is None or bool(self._beats)

    @property
    def state(self) -> ServiceState:
        """Return the state of the worker furthest on; `NO_WORKER` where there is none."""
        if self._beats is None:
            return ServiceState()
        states = sorted(
            (each.state for each in self._beats if each.state.phase in FURTHEST_FIRST),
            key=lambda state: FURTHEST_FIRST.index(state.phase),
        )
        return states[0] if states else NO_WORKER

    @property
    def slots(self) -> int:
        """Return how many replies all workers answer at once."""
        return sum(each.slots for each in self._beats or [])

    @property
    def beats(self) -> list[Beat]:
        """Return what each worker said last."""
        return list(self._beats or [])

    @property
    def is_ready(self) -> bool:
        """Whether a question would be answered now."""
        return self.state.phase == Phase.READY

    @property
    def context_tokens(self) -> int:
        """How many tokens prompt and answer may take, whichever worker answers."""
        told = [each.context_tokens for each in self._ready if each.context_tokens]
        return min(told, default=settings.VL_CONTEXT_TOKENS)

    def cancel(self, reply_id: uuid.UUID) -> None:
        """Stop a reply, whichever worker writes it."""
        tell_stop(self._link, reply_id)

    def count_image_tokens(self, width_px: int, height_px: int, pixels: PixelBudget) -> int:
        """See `InferenceService.count_image_tokens`."""
        limits = self._ready[0].image_limits if self._ready else QWEN3_VL_LIMITS
        return count_image_tokens(width_px, height_px, pixels, limits)

    def look(self) -> None:
        """Look once. While Redis is away what was known stays: workers go on without it."""
        before = self._told
        try:
            self._beats = read_beats(self._link)
        except RedisAwayError:
            return
        if self._told != before:
            self._on_change()

    def start(self, also: Callable[[], None]) -> None:
        """Look every `BEAT_S` from now on, on a thread; `also` is done after each look."""
        if self._thread is not None:
            return

        def look_forever() -> None:
            while not self._closing.is_set():
                try:
                    self.look()
                    also()
                except Exception:  # without this thread nobody would learn of workers again
                    logger.exception("workers: could not look; trying again")
                self._closing.wait(BEAT_S)

        self._thread = threading.Thread(target=look_forever, name="workers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(2 * BEAT_S)

    @property
    def _ready(self) -> list[Beat]:
        return [each for each in self._beats or [] if each.state.phase == Phase.READY]

    @property
    def _told(self) -> tuple[ServiceState, bool, int]:
        """What people are told of the workers."""
        return (self.state, self.has_worker, self.context_tokens)
