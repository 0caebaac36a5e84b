"""What the service asks of a backend: load a model, answer one request at a time in each slot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from inference.images import ImageLimits
from inference.model_stats import ModelStats
from inference.requests import Event, Finished, GenerationRequest

Emit: TypeAlias = Callable[[Event], None]
ReportProgress: TypeAlias = Callable[[int, int], None]
"""Called with (done, total) in a unit of the caller's choice."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on this machine: the name that people see, its folder, is it the bundled demo.

    `folder` is None for a model without files (the scripted one).
    """

    name: str
    folder: Path | None
    demo: bool = False


class Cancellation:
    """A request's wish to stop: set once, read from any thread."""

    def __init__(self) -> None:
        """Start without the wish."""
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def is_set(self) -> bool:
        """Say whether the request shall stop."""
        return self._event.is_set()

    def set(self) -> None:
        """Wish the request to stop; runs the callbacks in this thread, once."""
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def wait(self, timeout_s: float) -> bool:
        """Block until the wish comes or the time is over; say whether it came."""
        return self._event.wait(timeout_s)

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the wish comes, at once if it is there.

        It must be quick and never raise.
        """
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()


class LoadedModel(Protocol):
    """A model that is ready to answer."""

    @property
    def name(self) -> str:
        """Return the name that stands on every answer."""

    @property
    def demo(self) -> bool:
        """Say whether this is the bundled demo model."""

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and answer may take together."""

    @property
    def image_limits(self) -> ImageLimits:
        """Return how this model cuts pictures into tokens."""

    def warm_up(self) -> None:
        """Pay for what only the first question costs, before anybody asks it.

        Raises:
            Exception: whatever an answer may raise; the model cannot be used.
        """

    def answer(
        self, request: GenerationRequest, *, emit: Emit, cancellation: Cancellation
    ) -> Finished:
        """Answer one request in the calling thread, which it occupies until the answer ends.

        Emits progress and text; the end is the returned event or the raised error, never emitted.
        A set `cancellation` ends it as `stopped`: within one token, or within one layer before the
        first. Several threads may call this at once.

        Raises:
            InferenceError: with the code and text for people; any other exception is a fault of
            the backend.
        """

    def live_stats(self) -> ModelStats:
        """Return what it computes with and how busy it is; quick, from any thread."""

    def close(self) -> None:
        """Free what the model holds; no answer runs any more."""


class Backend(Protocol):
    """A way to run models."""

    def load(self, files: ModelFiles, report: ReportProgress) -> LoadedModel:
        """Load a model, reporting progress; takes seconds to minutes.

        Raises:
            InferenceError: `model_unavailable` with the broken file or the missing package,
            `out_of_memory`.
        """
