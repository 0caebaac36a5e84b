"""Whether the process lives, and whether a question would be answered."""

from __future__ import annotations

from channels.layers import get_channel_layer
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from chat.generation import local


@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process serves requests."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when database, channel layer and model are ready, else 503 with what is not."""
    checks = {
        "database": _has_database(),
        "channel_layer": get_channel_layer() is not None,
        "model": local.runner().is_ready,
    }
    return JsonResponse(
        {"ready": all(checks.values()), **checks}, status=200 if all(checks.values()) else 503
    )


def _has_database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
