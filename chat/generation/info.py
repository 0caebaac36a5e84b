"""What a client is told about this server: who answers, and what the limits are."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from chat.generation import local
from chat.generation.request import default_options
from chat.protocol import MAX_FRAME_BYTES, InfoFrame
from inference.requests import PixelBudget
from inference.service import Phase, ServiceState


def info_frame() -> InfoFrame:
    """Build the `info` frame, its text in the active language."""
    answerer = local.answerer()
    state = answerer.state
    return InfoFrame(
        content=_describe(state) if answerer.has_worker else _without_worker(),
        model=state.model,
        demo=state.demo,
        limits=limits(),
        options=server_options(),
        state={
            "phase": state.phase.value,
            "upcoming": state.upcoming,
            "done": state.done,
            "total": state.total,
            "message": state.message,
        },
    )


def server_options() -> dict[str, Any]:
    """Give what the server chooses where nobody else does."""
    return {
        **default_options(is_demo=local.answerer().state.demo),
        "max_tokens": settings.VL_MAX_TOKENS,
        "pixels": settings.VL_PIXELS,
    }


def pixel_tokens() -> dict[str, int]:
    """Give the most tokens that one picture costs at each pixel budget."""
    return {budget.value: budget.max_image_tokens for budget in PixelBudget}


def limits() -> dict[str, int]:
    """Give the limits of one thing, and of one person (0: none); units as the names say."""
    return {
        "text_chars": settings.VL_TEXT_CHARS,
        "images_per_turn": settings.VL_IMAGES_PER_TURN,
        "upload_bytes": settings.VL_UPLOAD_BYTES,
        "image_pixels": settings.VL_IMAGE_PIXELS,
        "max_tokens": settings.VL_MAX_TOKENS,
        "context_tokens": local.answerer().context_tokens,
        "system_prompt_chars": settings.VL_SYSTEM_PROMPT_CHARS,
        "presets": settings.VL_PRESETS_PER_PERSON,
        "frame_bytes": MAX_FRAME_BYTES,
        "turns_per_minute": settings.VL_PERSON_TURNS_PER_MINUTE,
        "uploads_per_minute": settings.VL_PERSON_UPLOADS_PER_MINUTE,
        "turns_per_day": settings.VL_PERSON_TURNS_PER_DAY,
        "tokens_per_day": settings.VL_PERSON_TOKENS_PER_DAY,
        "open_replies": settings.VL_PERSON_OPEN_REPLIES,
        "runs": settings.VL_PERSON_RUNS,
        "storage_bytes": settings.VL_PERSON_STORAGE_BYTES,
    }


def _without_worker() -> str:
    return _("Nobody answers at the moment. Questions wait until somebody does.")


def _describe(state: ServiceState) -> str:
    if state.phase == Phase.FAILED:
        return _("The model is not available. The administrator finds the reason in the log.")
    if state.phase != Phase.READY:
        return _("The model is getting ready; questions are answered as soon as it is.")
    if state.demo:
        return _(
            "The bundled demo model answers. It only knows drawn shapes, colours, numbers "
            "and a few words."
        )
    return _("%(model)s answers.") % {"model": state.model}
