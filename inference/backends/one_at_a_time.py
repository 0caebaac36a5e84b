"""Lets a model answer one request at a time, whoever asks.

The engine serves many requests at once, so the service has many slots. Where transformers stands in
for it, answers in parallel would only take the cores from each other: here they take turns.
"""

from __future__ import annotations

import threading

from inference.backends.base import Cancellation, Emit, LoadedModel
from inference.images import ImageLimits
from inference.model_stats import ModelStats
from inference.requests import Finished, GenerationRequest

LOOK_EVERY_S = 0.1


class OneAtATime:
    """A loaded model whose answers wait for each other; see `backends.base.LoadedModel`."""

    def __init__(self, model: LoadedModel) -> None:
        """Stand before a model."""
        self._model = model
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        """Return the name that stands on every answer."""
        return self._model.name

    @property
    def demo(self) -> bool:
        """Say whether this is the bundled demo model."""
        return self._model.demo

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and answer may take together."""
        return self._model.context_tokens

    @property
    def image_limits(self) -> ImageLimits:
        """Return how this model cuts pictures into tokens."""
        return self._model.image_limits

    def warm_up(self) -> None:
        """Warm the model up."""
        self._model.warm_up()

    def answer(
        self, request: GenerationRequest, *, emit: Emit, cancellation: Cancellation
    ) -> Finished:
        """Answer when the earlier ones have been; see `backends.base.LoadedModel.answer`."""
        while not self._turn.acquire(timeout=LOOK_EVERY_S):
            if cancellation.is_set:  # a cancelled request does no work, and needs no turn
                return self._model.answer(request, emit=emit, cancellation=cancellation)
        try:
            return self._model.answer(request, emit=emit, cancellation=cancellation)
        finally:
            self._turn.release()

    def live_stats(self) -> ModelStats:
        """Return the model's."""
        return self._model.live_stats()

    def close(self) -> None:
        """Free what the model holds."""
        self._model.close()
