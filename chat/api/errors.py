"""Errors as JSON: `{"error": {"code", "message"}}`, with the codes of `chat.errors`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from django.core.exceptions import SuspiciousOperation
from django.http.multipartparser import MultiPartParserError
from ninja import Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

from chat.errors import ChatError, ErrorCode

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from ninja import NinjaAPI

BAD_REQUEST = 400
TOO_MANY_REQUESTS = 429
STATUSES = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.IMAGE_NOT_FOUND: 404,
    ErrorCode.DOCUMENT_NOT_FOUND: 404,
    ErrorCode.CONVERSATION_NOT_FOUND: 404,
    ErrorCode.MESSAGE_NOT_FOUND: 404,
    ErrorCode.PRESET_NOT_FOUND: 404,
    ErrorCode.PRESET_NAME_TAKEN: 409,
    ErrorCode.ALREADY_RUNNING: 409,
    ErrorCode.IMAGE_TOO_LARGE: 413,
    ErrorCode.DOCUMENT_TOO_LONG: 413,
    ErrorCode.IMAGE_TYPE_UNSUPPORTED: 415,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.QUEUE_FULL: 503,
    ErrorCode.QUOTA_EXCEEDED: 403,  # where waiting helps: 429
}


class ErrorBody(Schema):
    """What went wrong: a code for programs, a message for people in their language."""

    code: str
    message: str


class ErrorOut(Schema):
    """Every answer above 399."""

    error: ErrorBody


def install_error_handlers(api: NinjaAPI) -> None:
    """Let every refusal of this API have the one shape."""

    def answer(request: HttpRequest, error: ChatError, status: int | None = None) -> HttpResponse:
        body = {"error": {"code": error.code, "message": error.content}}
        response: HttpResponse = api.create_response(
            request, body, status=status or _status_of(error)
        )
        if error.retry_after_s is not None:
            response["Retry-After"] = str(math.ceil(error.retry_after_s))
        return response

    @api.exception_handler(ChatError)
    def on_refusal(request: HttpRequest, error: ChatError) -> HttpResponse:
        return answer(request, error)

    @api.exception_handler(AuthenticationError)
    def on_nobody(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        return answer(request, ChatError(ErrorCode.UNAUTHENTICATED))

    @api.exception_handler(ValidationError)
    def on_misfit(request: HttpRequest, error: ValidationError) -> HttpResponse:
        return answer(request, ChatError(ErrorCode.BAD_FRAME, detail=_first_misfit(error)))

    @api.exception_handler(SuspiciousOperation)
    @api.exception_handler(MultiPartParserError)
    def on_bad_body(request: HttpRequest, error: Exception) -> HttpResponse:
        # A body over DATA_UPLOAD_MAX_MEMORY_SIZE, too many fields or files, broken multipart.
        return answer(request, ChatError(ErrorCode.BAD_FRAME, detail=type(error).__name__))

    @api.exception_handler(HttpError)
    def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
        bad = ChatError(ErrorCode.BAD_FRAME, detail=error.message)
        return answer(request, bad, status=error.status_code)


def _status_of(error: ChatError) -> int:
    if error.code == ErrorCode.QUOTA_EXCEEDED and error.retry_after_s is not None:
        return TOO_MANY_REQUESTS
    return STATUSES.get(error.code, BAD_REQUEST)


def _first_misfit(error: ValidationError) -> str:
    """Name the first field that does not fit; what was sent is not repeated."""
    first = error.errors[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return f"“{place}”: {first['msg']}"
