"""What every answer tells the browser to refuse, beside what Django and django-csp say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from csp.middleware import CSPMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from csp.middleware import PolicyParts
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

# Nothing here asks for any of it: photos are taken by the system's own camera (`capture`).
UNUSED_FEATURES = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media",
    "geolocation", "gyroscope", "hid", "idle-detection", "magnetometer", "microphone", "midi",
    "payment", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip
HEADERS = {
    # What says nothing of caches is somebody's: a browser would have it again after they left.
    "Cache-Control": "private, no-store",
    # No other site may show our pictures or read our answers, however it asks for them.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
}


class ResponseHeaders:
    """Middleware, the first of all, so that static files and refusals have the headers as well."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Wrap all the rest."""
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, and add what the answer lacks."""
        response = self._get_response(request)
        for name, value in HEADERS.items():
            response.setdefault(name, value)
        return response


class ContentPolicy(CSPMiddleware):
    """The site's policy; in the admin without Trusted Types, which jQuery cannot live with."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """Take the two directives out where the page is the admin's."""
        parts = super().get_policy_parts(request, response, report_only)
        match = request.resolver_match
        if match is not None and "admin" in match.app_names:
            untyped = {"require-trusted-types-for": None, "trusted-types": None}
            parts.replace = untyped | (parts.replace or {})
        return parts
