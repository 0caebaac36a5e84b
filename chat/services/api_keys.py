"""API keys: made and revoked by their person, presented by their programs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chat.models import ApiKey
from chat.models.api_key import PREFIX_CHARS
from chat.models.secret_text import digest, new_secret
from chat.services import quotas

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection

    from django.contrib.auth.models import User

KEY_START = "vlk_"  # so that people, and scanners of leaked secrets, know one when they see it
NOTE_USE_EVERY = timedelta(minutes=1)


class TooManyKeysError(Exception):
    """Somebody has as many keys as one may have (VL_API_KEYS)."""


def issue(owner: User, *, name: str, scope: ApiKey.Scope, days: int | None) -> tuple[ApiKey, str]:
    """Make a key that lasts for these days, or until it is revoked; give it with its text.

    Nobody can find the text out later. 3 queries.

    Raises:
        TooManyKeysError: revoke one first.
    """
    text = KEY_START + new_secret()
    with transaction.atomic():
        quotas.lock(owner)  # two at once cannot both be the last one
        if ApiKey.objects.visible_to(owner).count() >= settings.VL_API_KEYS:
            raise TooManyKeysError
        key = ApiKey.objects.create(
            owner=owner,
            name=name,
            prefix=text[:PREFIX_CHARS],
            digest=digest(text),
            scope=scope,
            expires_at=None if days is None else timezone.now() + timedelta(days=days),
        )
    return key, text


def find(text: str) -> ApiKey | None:
    """Give the key with this text, with its owner, if it opens something now: 1 or 2 queries."""
    key = ApiKey.objects.valid().select_related("owner").filter(digest=digest(text)).first()
    if key is not None:
        _note_use(key)
    return key


def still_valid(key_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Give those of these keys that still open something: 1 query."""
    return set(ApiKey.objects.valid().filter(pk__in=key_ids).values_list("pk", flat=True))


def revoke(key: ApiKey) -> None:
    """Let the key open nothing from now on; what it holds open closes within 5 s."""
    key.delete()


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is not None and now - key.last_used_at < NOTE_USE_EVERY:
        return
    # Of many calls at the same moment one writes.
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - NOTE_USE_EVERY)
    ApiKey.objects.filter(due, pk=key.pk).update(last_used_at=now)
