"""Files whose rows are gone: deleted after the commit, and again until it worked."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from chat.models import LeftoverFile

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

AT_ONCE = 500
RETRY_AFTER = timedelta(seconds=30)  # where the storage did not do it


def leave(names: Iterable[str]) -> None:
    """Note files that lose their rows in the running transaction: 1 query.

    They are deleted right after the commit; what cannot be then stays noted for `remove`. Empty
    folders are given like files, after those in them.
    """
    rows = [LeftoverFile(name=name) for name in names]
    LeftoverFile.objects.bulk_create(rows, ignore_conflicts=True)
    transaction.on_commit(remove)


def remove() -> int:
    """Delete the files that are noted; returns how many are gone. 1 query, and 1 for each file.

    Stops at the first failure, which is not tried again for `RETRY_AFTER`. Several processes may
    do so at the same time.
    """
    now = timezone.now()
    removed = 0
    for row in LeftoverFile.objects.filter(left_at__lte=now)[:AT_ONCE]:
        try:
            default_storage.delete(row.name)
        except Exception:  # each storage has its own
            logger.exception("files: %s could not be deleted; it will be tried again", row.name)
            LeftoverFile.objects.filter(pk=row.pk).update(left_at=now + RETRY_AFTER)
            break
        row.delete()
        removed += 1
    return removed
