"""What a picture costs, in tokens of the model that answers."""

from chat.generation import local
from inference.requests import PixelBudget


def image_tokens(width_px: int, height_px: int) -> dict[str, int]:
    """Give the image tokens at each pixel budget: {fast, balanced, detail, full}."""
    answerer = local.answerer()
    return {
        budget.value: answerer.count_image_tokens(width_px, height_px, budget)
        for budget in PixelBudget
    }
