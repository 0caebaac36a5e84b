"""The host that answers name themselves by: the operator's word, never the client's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class PublicHost:
    """Middleware that puts VL_PUBLIC_URL's host in the place of any other that is allowed.

    Django allows a host with any port, and the local names for health checks. A link in a mail,
    such as the one that sets a new password, would lead to whatever the request said.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Wrap the rest."""
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; Django's refusal of a host that is not allowed is a 400."""
        if request.get_host() not in {urlsplit(origin).netloc for origin in settings.VL_ORIGINS}:
            request.META["HTTP_HOST"] = urlsplit(settings.VL_PUBLIC_URL).netloc
        return self._get_response(request)


class WithoutTraceback(logging.Filter):
    """Leaves of a refused host the line that names it: a stranger's request is no fault of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the traceback."""
        record.exc_info = record.exc_text = None
        return True
