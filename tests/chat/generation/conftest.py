"""What the tests of generation listen to."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import pytest

from chat.generation import news
from tests.chat.generation.answering import DEADLINE_S, model

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from inference.service import InferenceService


class Heard:
    """The news about replies, in order; an end can be waited for from another thread."""

    def __init__(self) -> None:
        self.texts: list[tuple[int, str]] = []
        self.stages: list[dict[str, Any]] = []
        self._ends: queue.Queue[uuid.UUID] = queue.Queue()

    @property
    def text(self) -> str:
        """Join the pieces as a client does; a piece out of place fails."""
        text = ""
        for offset, piece in self.texts:
            assert offset == len(text)
            text += piece
        return text

    @property
    def end_count(self) -> int:
        """Count the ends not waited for."""
        return self._ends.qsize()

    def wait_for_end(self) -> uuid.UUID:
        """Wait for the next end."""
        return self._ends.get(timeout=DEADLINE_S)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Hear the news instead of sending them to sockets."""
    heard = Heard()

    def text_added(_reply_id: uuid.UUID, *, offset: int, text: str) -> None:
        heard.texts.append((offset, text))

    def stage_changed(_reply_id: uuid.UUID, status: dict[str, Any]) -> None:
        heard.stages.append(status)

    monkeypatch.setattr(news, "text_added", text_added)
    monkeypatch.setattr(news, "stage_changed", stage_changed)
    monkeypatch.setattr(news, "reply_ended", heard._ends.put)
    return heard


@pytest.fixture
def service() -> Iterator[InferenceService]:
    """Run a model that counts to ten."""
    with model() as service:
        yield service
