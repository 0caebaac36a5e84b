"""Whether the process lives, and whether a question would be answered."""

from __future__ import annotations

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from chat.drain import drain
from chat.generation import local
from chat.generation.redis_link import redis_link


@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process serves requests."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when database, channel layer and model are ready, else 503 with what is not.

    Also 503 while this process drains: whoever balances the load shall send nothing new.

    Where workers answer, a missing one is said but counts for nothing: people still read, and
    ask, and a proxy that took every web process away would help nobody.
    """
    checks = {"database": _has_database(), "channel_layer": _has_channel_layer()}
    model = {"model": local.answerer().is_ready}
    needed = checks if settings.REDIS_URL else checks | model
    is_ready = all(needed.values()) and not drain.is_draining
    said = {"ready": is_ready, "draining": drain.is_draining, **checks, **model}
    return JsonResponse(said, status=200 if is_ready else 503)


def _has_channel_layer() -> bool:
    if settings.REDIS_URL:
        return redis_link().is_reached()
    return get_channel_layer() is not None


def _has_database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
