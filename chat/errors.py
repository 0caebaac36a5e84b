"""What can go wrong between a person and the product: one code, one text each."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class ErrorCode(StrEnum):
    """Codes of `error` frames and of HTTP errors (docs/protocol.md)."""

    UNAUTHENTICATED = "unauthenticated"
    BAD_FRAME = "bad_frame"
    UNKNOWN_TYPE = "unknown_type"
    EMPTY_TEXT = "empty_text"
    TEXT_TOO_LONG = "text_too_long"
    TOO_MANY_IMAGES = "too_many_images"
    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TYPE_UNSUPPORTED = "image_type_unsupported"
    DOCUMENT_NOT_FOUND = "document_not_found"
    DOCUMENT_UNREADABLE = "document_unreadable"
    DOCUMENT_LOCKED = "document_locked"
    DOCUMENT_TOO_LONG = "document_too_long"
    CONVERSATION_NOT_FOUND = "conversation_not_found"
    MESSAGE_NOT_FOUND = "message_not_found"
    PRESET_NOT_FOUND = "preset_not_found"
    PRESET_NAME_TAKEN = "preset_name_taken"
    TOO_MANY_PRESETS = "too_many_presets"
    SYSTEM_PROMPT_TOO_LONG = "system_prompt_too_long"
    ALREADY_RUNNING = "already_running"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    QUEUE_FULL = "queue_full"
    CONTEXT_TOO_LONG = "context_too_long"
    MODEL_UNAVAILABLE = "model_unavailable"
    OUT_OF_MEMORY = "out_of_memory"
    GENERATION_FAILED = "generation_failed"


# Each says what happened and what to do; `{…}` is filled with the limit that was met.
TEXTS: dict[ErrorCode, _StrPromise] = {
    ErrorCode.UNAUTHENTICATED: _("You are signed out. Sign in again to go on."),
    ErrorCode.BAD_FRAME: _("That message could not be read: {detail}"),
    ErrorCode.UNKNOWN_TYPE: _("This server does not know the message type “{detail}”."),
    ErrorCode.EMPTY_TEXT: _("Write a question first."),
    ErrorCode.TEXT_TOO_LONG: _(
        "The question has more than {limit} characters. Shorten it, or split it into several."
    ),
    ErrorCode.TOO_MANY_IMAGES: _("At most {limit} pictures fit one question. Remove some."),
    ErrorCode.IMAGE_NOT_FOUND: _("That picture is no longer here. Add it again."),
    ErrorCode.IMAGE_UNREADABLE: _("This file cannot be read as a picture. Try another file."),
    ErrorCode.IMAGE_TOO_LARGE: _("This picture is larger than {limit}. Send a smaller one."),
    ErrorCode.IMAGE_TYPE_UNSUPPORTED: _(
        "This kind of file is not supported. Send a JPEG, PNG, WebP, GIF, AVIF, HEIC or BMP."
    ),
    ErrorCode.DOCUMENT_NOT_FOUND: _("That document or page is no longer here. Add it again."),
    ErrorCode.DOCUMENT_UNREADABLE: _("This cannot be read as a PDF. Try another file."),
    ErrorCode.DOCUMENT_LOCKED: _("This PDF needs a password. Send one that opens without."),
    ErrorCode.DOCUMENT_TOO_LONG: _("A PDF may have at most {limit} pages. Send a part of it."),
    ErrorCode.CONVERSATION_NOT_FOUND: _("This conversation is not here; it may be deleted."),
    ErrorCode.MESSAGE_NOT_FOUND: _("This message is not here; it may be deleted."),
    ErrorCode.PRESET_NOT_FOUND: _("This preset is not here; it may be deleted."),
    ErrorCode.PRESET_NAME_TAKEN: _("Another preset has this name. Choose another name."),
    ErrorCode.TOO_MANY_PRESETS: _("There are {limit} presets already. Delete one first."),
    ErrorCode.SYSTEM_PROMPT_TOO_LONG: _(
        "The instructions have more than {limit} characters. Shorten them."
    ),
    ErrorCode.ALREADY_RUNNING: _(
        "An answer is still being written here. Wait for its end, or stop it."
    ),
    ErrorCode.RATE_LIMITED: _("That was too fast. Wait a moment and try again."),
    ErrorCode.QUOTA_EXCEEDED: _("Your allowance is used up. {detail}"),
    ErrorCode.QUEUE_FULL: _("Too many questions are waiting. Try again in a moment."),
    ErrorCode.CONTEXT_TOO_LONG: _(
        "The question and its pictures do not fit the model. Use fewer or smaller pictures."
    ),
    ErrorCode.MODEL_UNAVAILABLE: _(
        "The model is not available right now. The administrator finds the reason in the log."
    ),
    ErrorCode.OUT_OF_MEMORY: _(
        "There is not enough memory for this. Try a lower detail or fewer pictures."
    ),
    ErrorCode.GENERATION_FAILED: _("Something went wrong while answering. Try again."),
}


class ChatError(Exception):
    """A refusal that people can act on.

    Attributes:
        code: the wire code.
        retry_after_s: seconds after which a repeat may succeed, where waiting helps.
    """

    def __init__(
        self,
        code: ErrorCode,
        *,
        detail: str | _StrPromise = "",
        limit: object = "",
        retry_after_s: float | None = None,
    ) -> None:
        """Keep the code and what fills its text."""
        super().__init__(code.value, detail)
        self.code = code
        self.detail = detail
        self.limit = limit
        self.retry_after_s = retry_after_s

    @property
    def content(self) -> str:
        """The text for people, in the language that is active when it is read."""
        return str(TEXTS[self.code]).format(detail=self.detail, limit=self.limit)
