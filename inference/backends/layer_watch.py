"""Progress and cancellation inside a forward pass: hooks before each layer of a loaded model.

The hooks belong to the model and live as long as it does; which request they serve is the calling
thread's affair, so several slots can run one model. While a request decodes they cost one
attribute look-up a layer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from torch import nn

from inference.backends.base import Cancellation, Emit
from inference.requests import Stage, StageProgress

REPORT_EVERY_S = 0.1
LAYER_LIST_NAMES = ("blocks", "layers", "layer", "h")
VISION_WORDS = ("vis", "image")


class AnswerStoppedError(Exception):
    """The request was cancelled before its first token; breaks out of the forward pass."""


class PrefillProgress:
    """Where one request is before its first token.

    Keeps the times, emits progress, and is the exit on cancellation.
    """

    def __init__(
        self,
        *,
        emit: Emit,
        cancellation: Cancellation,
        prompt_tokens: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Start the clock; `prompt_tokens` is the unit of the prefill's progress."""
        self._emit = emit
        self._cancellation = cancellation
        self._prompt_tokens = prompt_tokens
        self._clock = clock
        self._next_report_at = 0.0
        self._started_at: dict[Stage, float] = {}
        self._first_index = 0
        self._vision_total = 0
        self._ended_at: float | None = None

    @property
    def vision_ms(self) -> int:
        """Return how long the pictures took; 0 without pictures."""
        return self._duration_ms(Stage.VISION, self._started_at.get(Stage.PREFILL))

    @property
    def prefill_ms(self) -> int:
        """Return how long the text layers took to read the prompt."""
        return self._duration_ms(Stage.PREFILL, self._ended_at)

    def enter_layer(self, stage: Stage, index: int, count: int) -> None:
        """Take note that a layer begins.

        Raises:
            AnswerStoppedError: if the request was cancelled.
        """
        if self._ended_at is not None:
            return
        if self._cancellation.is_set:
            raise AnswerStoppedError
        is_new = stage not in self._started_at
        if is_new:
            self._begin(stage, index, count)
        now = self._clock()
        if now >= self._next_report_at or is_new:
            self._next_report_at = now + REPORT_EVERY_S
            self._report(stage, index, count, now)

    def end(self) -> None:
        """Take note that the first token is there; later layers are decoding and pass."""
        if self._ended_at is None:
            self._ended_at = self._clock()
            self._emit(StageProgress(Stage.PREFILL, self._prompt_tokens, self._prompt_tokens, 0.0))

    def _begin(self, stage: Stage, index: int, count: int) -> None:
        self._started_at[stage] = self._clock()
        self._first_index = index  # what was done before took no time, and says nothing of speed
        if stage is Stage.VISION:
            self._vision_total = count
        elif Stage.VISION in self._started_at:
            self._emit(StageProgress(Stage.VISION, self._vision_total, self._vision_total, 0.0))

    def _report(self, stage: Stage, index: int, count: int, now: float) -> None:
        done = index - self._first_index
        eta_s = (now - self._started_at[stage]) * (count - index) / done if done > 0 else None
        unit = self._prompt_tokens if stage is Stage.PREFILL else count
        self._emit(StageProgress(stage, unit * index // count, unit, eta_s))

    def _duration_ms(self, stage: Stage, ended_at: float | None) -> int:
        started_at = self._started_at.get(stage)
        if started_at is None:
            return 0
        return round(((ended_at or self._clock()) - started_at) * 1000)


class LayerWatch:
    """Puts the hooks into a model and connects them with the request of the calling thread."""

    def __init__(self, model: nn.Module) -> None:
        """Find the longest list of vision layers and of text layers, and hook into each layer."""
        self._local = threading.local()
        for stage, layers in find_layers(model).items():
            for index, layer in enumerate(layers):
                layer.register_forward_pre_hook(self._make_hook(stage, index, len(layers)))

    @contextmanager
    def watching(self, progress: PrefillProgress) -> Iterator[None]:
        """Let the layers that run in this thread report to `progress`."""
        self._local.progress = progress
        try:
            yield
        finally:
            self._local.progress = None

    def _make_hook(
        self, stage: Stage, index: int, count: int
    ) -> Callable[[nn.Module, tuple[object, ...]], None]:
        def before_layer(module: nn.Module, args: tuple[object, ...]) -> None:
            progress: PrefillProgress | None = getattr(self._local, "progress", None)
            if progress is not None:
                progress.enter_layer(stage, index, count)

        return before_layer


def find_layers(model: nn.Module) -> dict[Stage, nn.ModuleList]:
    """Return the longest list of layers of the vision tower and of the text model.

    They are found by the names that models use.
    """
    found: dict[Stage, nn.ModuleList] = {}
    for path, module in model.named_modules():
        if not isinstance(module, nn.ModuleList) or path.split(".")[-1] not in LAYER_LIST_NAMES:
            continue
        is_vision = any(word in path for word in VISION_WORDS)
        stage = Stage.VISION if is_vision else Stage.PREFILL
        if len(module) > len(found.get(stage, ())):
            found[stage] = module
    return found
