"""What a picture costs: tokens of the model that answers, and time at its measured speed."""

from __future__ import annotations

from typing import Any

from chat.generation import local
from inference.requests import PixelBudget


def image_price(width_px: int, height_px: int) -> dict[str, Any]:
    """Give what a picture costs at each pixel budget: {fast, balanced, detail, full}.

    `tokens` of the model, and `seconds` until it is read; None while no picture was read yet.
    """
    answerer = local.answerer()
    tokens = {
        budget.value: answerer.count_image_tokens(width_px, height_px, budget)
        for budget in PixelBudget
    }
    token_s = _seconds_a_token()
    seconds = token_s and {budget: round(count * token_s, 1) for budget, count in tokens.items()}
    return {"tokens": tokens, "seconds": seconds}


def _seconds_a_token() -> float | None:
    """Give how long one image token takes, through the vision tower and the text model.

    The mean of those who answer and know.
    """
    known = [
        1 / beat.stats.vision_tokens_per_s + 1 / beat.stats.prefill_tokens_per_s
        for beat in local.answerer().beats
        if beat.stats and beat.stats.vision_tokens_per_s and beat.stats.prefill_tokens_per_s
    ]
    return sum(known) / len(known) if known else None
