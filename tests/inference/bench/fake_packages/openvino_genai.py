"""A pipeline of the same form as OpenVINO GenAI's, which writes the tokens 0, 1, 2 and so on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

__version__ = "0"


class SchedulerConfig:
    """Takes any setting."""


class GenerationConfig:
    """Takes any setting."""

    max_new_tokens = 0


class Tokenizer:
    """A word is a token."""

    def encode(self, text: str) -> Any:
        return SimpleNamespace(input_ids=SimpleNamespace(shape=(1, len(text.split()))))

    def decode(self, token_ids: list[int]) -> str:
        return " ".join(str(token_id) for token_id in token_ids)


class Handle:
    """One answer on its way: a token with each step."""

    def __init__(self, pictures: int, tokens: int) -> None:
        self.pictures = pictures
        self.waiting: list[int] = []
        self.left = list(range(tokens))

    def can_read(self) -> bool:
        return bool(self.waiting)

    def read(self) -> dict[int, Any]:
        token_ids, self.waiting = self.waiting, []
        return {0: SimpleNamespace(generated_ids=token_ids)}


class ContinuousBatchingPipeline:
    """Answers all that was added, together."""

    def __init__(self, folder: str, scheduler: object, device: str, properties: object) -> None:
        if folder == "broken":
            raise RuntimeError("cannot read the model")
        self._handles: list[Handle] = []

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def add_request(
        self, number: int, prompt: str, pictures: list[object], config: GenerationConfig
    ) -> Handle:
        if prompt.count("<|image_pad|>") != len(pictures):
            raise ValueError("a picture is missing")
        self._handles.append(Handle(len(pictures), config.max_new_tokens))
        return self._handles[-1]

    def step(self) -> None:
        for handle in self._handles:
            if handle.left:
                handle.waiting.append(handle.left.pop(0))

    def has_non_finished_requests(self) -> bool:
        return any(handle.left for handle in self._handles)
