"""The one exception of the inference service and its codes."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """What went wrong, as a word that programs may rely on."""

    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    CONTEXT_TOO_LONG = "context_too_long"
    MODEL_UNAVAILABLE = "model_unavailable"
    OUT_OF_MEMORY = "out_of_memory"
    GENERATION_FAILED = "generation_failed"
    QUEUE_FULL = "queue_full"
    INVALID_OPTIONS = "invalid_options"


class InferenceError(Exception):
    """Something the service could not do.

    `message` is safe to show to people: no traceback, no secret. `retryable` says whether the same
    request may succeed later, or elsewhere.
    """

    def __init__(self, code: ErrorCode, message: str, *, retryable: bool = False) -> None:
        """Keep the code, the text for people and whether another try makes sense."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable

    def __str__(self) -> str:
        """Return code and message, the form for logs."""
        return f"{self.code}: {self.message}"
