"""The three places where transformers' `generate` lets others in: choosing, streaming, stopping."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from inference.json_constraint import JsonConstraint
from inference.requests import SamplingOptions
from inference.sampling import Choice, choose


class ChosenTokenOnly(LogitsProcessor):
    """Leaves only the token that `sampling` chose, so that greedy search takes it.

    generate's own sampling has no presence penalty and one random state for the whole run; ours is
    by position. `choice` is the newest token, with its scores where they were asked for.
    """

    choice: Choice

    def __init__(
        self,
        *,
        prompt_ids: Sequence[int],
        answer_ids: Sequence[int],
        options: SamplingOptions,
        constraint: JsonConstraint | None = None,
    ) -> None:
        """Watch `answer_ids`, which grows while the answer is written.

        `constraint` stands behind them; its first mask is computed from now on.
        """
        self._prompt_ids = prompt_ids
        self._answer_ids = answer_ids
        self._options = options
        self._constraint = constraint
        if constraint is not None:
            constraint.look_ahead()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return scores, shape (1, V), of minus infinity but for the token of `choice`.

        Raises:
            InferenceError: `invalid_options`, the schema takes too much to follow.
        """
        self.choice = choose(
            scores[0],
            prompt_ids=self._prompt_ids,
            answer_ids=self._answer_ids,
            options=self._options,
            allowed=None if self._constraint is None else self._constraint.wait()[0],
        )
        if self._constraint is not None:
            self._constraint.accept(self.choice.token_id)
            self._constraint.look_ahead()  # while the model computes the next scores
        masked = torch.full_like(scores, -torch.inf)
        masked[0, self.choice.token_id] = 0.0
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
