"""What the service says about itself: which model answers, what it is busy with, how full it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from inference.errors import InferenceError

logger = logging.getLogger(__name__)


class Phase(StrEnum):
    """Where the service is on its way to answering."""

    STARTING = "starting"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """The service at one moment.

    `model` is who answers (ready) or will answer. `upcoming` names a better model that is being
    fetched or loaded in the background while `model` answers; `done` of `total` then count its
    bytes, otherwise those of the phase (bytes while downloading, weights while loading). `message`
    is one line for people.
    """

    phase: Phase = Phase.STARTING
    model: str = ""
    demo: bool = False
    done: int = 0
    total: int = 0
    message: str = ""
    error: InferenceError | None = None
    upcoming: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStats:
    """How full the service is now, and what it did since it started."""

    queued: int
    running: int
    slots: int
    finished: int
    failed: int


Listener = Callable[[ServiceState], None]


class StateBoard:
    """Keeps the newest state and tells everybody who wants to know; thread-safe."""

    def __init__(self) -> None:
        """Start with phase `starting` and no listener."""
        self._changed = threading.Condition()
        self._state = ServiceState()
        self._listeners: list[Listener] = []

    @property
    def state(self) -> ServiceState:
        """Return the newest state."""
        return self._state

    def add_listener(self, callback: Listener) -> None:
        """Call `callback` after each change, in the thread that made it; it must return quickly."""
        with self._changed:
            self._listeners.append(callback)

    def post(self, state: ServiceState) -> None:
        """Make `state` the newest one and tell the listeners; nothing follows `closed`."""
        with self._changed:
            if self._state.phase is Phase.CLOSED:
                return
            self._state = state
            listeners = tuple(self._listeners)
            self._changed.notify_all()
        for listener in listeners:
            try:
                listener(state)
            except Exception:
                logger.exception("A listener of the inference service failed.")

    def change(self, **changes: object) -> None:
        """Post the newest state with some fields replaced."""
        self.post(replace(self._state, **changes))  # type: ignore[arg-type]  # checked by the dataclass's own fields

    def wait_for(self, *phases: Phase, timeout_s: float) -> bool:
        """Block until the phase is one of `phases`; say whether it came within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.phase in phases, timeout_s)
