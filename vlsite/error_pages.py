"""Pages for who comes too often, and for when what counts that is away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.shortcuts import render
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

TOO_OFTEN_RETRY_S = 300  # the longest window of sign-in; allauth does not say how much is left
AWAY_RETRY_S = 10


def too_often(request: HttpRequest) -> HttpResponse:
    """Answer 429; allauth finds it as `handler429` of the root URLconf."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(TOO_OFTEN_RETRY_S)
    return response


class ClosedWithoutCache:
    """Middleware: what needs the shared cache is refused with 503 while Redis is away.

    The cache counts sign-ins. Letting people try uncounted would let an attacker who can keep
    Redis busy guess without end, so the door stays shut until it is back.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Wrap the view."""
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 503 where Redis failed; everything else goes on its way."""
        if not isinstance(exception, RedisError):
            return None
        logger.warning("%s: refused, the cache is away: %s", request.path, exception)
        response = render(request, "503.html", status=503)
        response["Retry-After"] = str(AWAY_RETRY_S)
        return response
