"""The model that answers now, and the exchange of one for another while answers run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from inference.backends.base import LoadedModel


class ModelSeat:
    """Holds the answering model; a replaced one is closed when its last answer has ended."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._current: LoadedModel | None = None
        self._answers: dict[int, int] = {}

    @property
    def current(self) -> LoadedModel | None:
        """Return the model that new answers will come from."""
        return self._current

    def replace(self, model: LoadedModel | None) -> None:
        """Put `model` in place for all answers that begin from now on."""
        with self._lock:
            old, self._current = self._current, model
            is_idle = old is not None and not self._answers.get(id(old))
        if old is not None and is_idle:
            old.close()

    @contextmanager
    def borrow(self) -> Iterator[LoadedModel | None]:
        """Give the current model for one answer and keep it open until the answer has ended."""
        with self._lock:
            model = self._current
            if model is not None:
                self._answers[id(model)] = self._answers.get(id(model), 0) + 1
        try:
            yield model
        finally:
            if model is not None:
                self._give_back(model)

    def _give_back(self, model: LoadedModel) -> None:
        with self._lock:
            self._answers[id(model)] -= 1
            is_last = not self._answers[id(model)]
            if is_last:
                del self._answers[id(model)]
            is_replaced = model is not self._current
        if is_last and is_replaced:
            model.close()
