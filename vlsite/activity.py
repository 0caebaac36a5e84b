"""Notes where and when each session was last seen, for the person's list of their sessions."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from allauth.usersessions.models import UserSession
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.utils.decorators import sync_and_async_middleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

NOTE_EVERY_S = 60.0  # allauth's own middleware writes with every request
REMEMBERED_SESSIONS = 10_000

_noted_at: OrderedDict[str, float] = OrderedDict()


@sync_and_async_middleware
def session_activity(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Note the session of an answered request, once a minute: 3 queries then, else none.

    A session that began before this middleware did is noted like any other.
    """
    if iscoroutinefunction(get_response):

        async def awaited(request: HttpRequest) -> Any:
            response = await get_response(request)
            if _is_due(request):
                await sync_to_async(UserSession.objects.create_from_request)(request)
            return response

        return awaited

    def called(request: HttpRequest) -> Any:
        response = get_response(request)
        if _is_due(request):
            UserSession.objects.create_from_request(request)
        return response

    return called


def _is_due(request: HttpRequest) -> bool:
    """Say whether to note now; asks no database: who was not looked up here is nobody."""
    if not settings.USERSESSIONS_TRACK_ACTIVITY:
        return False
    if not hasattr(request, "_cached_user") or not request.user.is_authenticated:
        return False
    key = request.session.session_key
    now = time.monotonic()
    if not key or now - _noted_at.get(key, -NOTE_EVERY_S) < NOTE_EVERY_S:
        return False
    _noted_at[key] = now
    _noted_at.move_to_end(key)
    if len(_noted_at) > REMEMBERED_SESSIONS:
        _noted_at.popitem(last=False)
    return True
