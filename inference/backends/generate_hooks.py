"""The three places where transformers' `generate` lets others in: choosing, streaming, stopping."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from inference.requests import SamplingOptions
from inference.sampling import choose_token


class ChosenTokenOnly(LogitsProcessor):
    """Leaves only the token that `sampling` chose, so that greedy search takes it.

    generate's own sampling has no presence penalty and one random state for the whole run; ours is
    by position.
    """

    def __init__(
        self, *, prompt_ids: Sequence[int], answer_ids: Sequence[int], options: SamplingOptions
    ) -> None:
        """Watch `answer_ids`, which grows while the answer is written."""
        self._prompt_ids = prompt_ids
        self._answer_ids = answer_ids
        self._options = options

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return scores, shape (1, V), of minus infinity but for the chosen token."""
        chosen = choose_token(
            scores[0],
            prompt_ids=self._prompt_ids,
            answer_ids=self._answer_ids,
            options=self._options,
        )
        masked = torch.full_like(scores, -torch.inf)
        masked[0, chosen] = 0.0
        return masked  # type: ignore[return-value]  # full_like keeps the type


class StopWhen(StoppingCriteria):
    """Ends the loop after the token during which a condition came true."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        """Ask `condition` after each token, in the thread that generates."""
        self._condition = condition

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
    ) -> torch.BoolTensor:
        """Return whether each row, shape (1,), is to stop."""
        is_true = self._condition()
        return torch.full((input_ids.shape[0],), is_true)  # type: ignore[return-value]  # a bool fill gives bools


class TokenStream(BaseStreamer):
    """Hands each new token to a function.

    `generate` puts the whole prompt first, which is skipped.
    """

    def __init__(self, take_token: Callable[[int], None]) -> None:
        """Give tokens to `take_token`, in the thread that generates."""
        self._take_token = take_token
        self._has_prompt = False

    def put(self, value: torch.Tensor) -> None:
        """Take the prompt, shape (1, T), the first time, then one token, shape (1,), at a time."""
        if not self._has_prompt:
            self._has_prompt = True
            return
        for token_id in value.flatten().tolist():
            self._take_token(token_id)

    def end(self) -> None:
        """Take the end, which the caller knows anyway."""
