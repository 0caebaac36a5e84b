"""A refusal as the frame that tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import translation

from chat.protocol import ErrorFrame

if TYPE_CHECKING:
    from chat.errors import ChatError


def error_frame(error: ChatError, *, language: str, **subject: Any) -> ErrorFrame:
    """Say it in the person's language; `subject` is the `id` or `reply` that it belongs to."""
    with translation.override(language):
        content = error.content
    return ErrorFrame(
        code=error.code, content=content, retry_after_s=error.retry_after_s, **subject
    )
