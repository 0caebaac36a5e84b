"""Pictures that no message shows: removed some days after they were last uploaded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import RestrictedError
from django.utils import timezone

from chat.models import Image

if TYPE_CHECKING:
    import uuid

AT_ONCE = 100  # the next look takes the rest


def remove() -> int:
    """Remove those of `VL_ORPHAN_IMAGE_DAYS` ago and longer; returns how many. 1 query, mostly.

    Their files go as `chat.services.cascade` says. Several processes may do so at the same time.
    """
    before = timezone.now() - timedelta(days=settings.VL_ORPHAN_IMAGE_DAYS)
    ids = list(Image.objects.orphaned(before).values_list("pk", flat=True)[:AT_ONCE])
    return sum(_remove(image_id, before) for image_id in ids)


def _remove(image_id: uuid.UUID, before: datetime) -> bool:
    try:
        with transaction.atomic():
            # Locked and looked at again: it may have been uploaded or sent since.
            can_skip = connection.features.has_select_for_update_skip_locked
            locked = Image.objects.select_for_update(skip_locked=can_skip)
            image = locked.filter(pk=image_id, created_at__lt=before).first()
            if image is not None:
                image.delete()
    except (IntegrityError, RestrictedError):
        return False  # a message shows it since the look
    return image is not None
