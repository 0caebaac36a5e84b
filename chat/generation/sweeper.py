"""Returns the replies of lost workers to the queue, and ends those past their deadline.

Purges the conversations, too, that were deleted too long ago to be brought back, and PDFs kept long
enough. Runs through documents that nobody carried on go on, in another thread: drawing a page takes
as long as its author wants, and lost replies do not wait for that.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.cache import cache
from django.db import close_old_connections

from chat.generation import claim, news, page_runs
from chat.services import deletion, documents, leftover_files, orphan_images

logger = logging.getLogger(__name__)

SWEEP_S = 2.0
SWEEP_FILES_S = 10.0
ORPHANS_EVERY_S = 3600
ORPHANS_KEY = "sweeper-looked-for-orphans"


def sweep() -> int:
    """Look once; returns how many replies went back to the queue. 7 queries when all is well."""
    returned, ended = claim.return_expired()
    ended += claim.fail_overdue(settings.VL_REPLY_DEADLINE_S)
    for reply_id in ended:
        logger.warning("sweeper: reply %s ended without its worker", reply_id)
        news.reply_ended(reply_id)
    if returned:
        logger.warning("sweeper: %d replies lost their worker and wait again", returned)
    purged = deletion.purge(settings.VL_DELETE_UNDO_S)
    if purged:
        logger.info("sweeper: %d deleted conversations are gone for good", purged)
    documents.remove_old()
    return returned


def sweep_files() -> None:
    """Delete the files that deleted rows left behind, and carry on with idle runs.

    In a thread that may wait for a storage, or for a page to be drawn.
    Once an hour, whoever of all processes comes first removes pictures that no message shows.
    """
    try:
        leftover_files.remove()
        if cache.add(ORPHANS_KEY, True, ORPHANS_EVERY_S) and (removed := orphan_images.remove()):
            logger.info("sweeper: %d pictures that no message shows are gone", removed)
        page_runs.carry_on_idle()
    except Exception:  # without the thread they would stay for ever
        logger.exception("sweeper: could not look for files and runs; trying again")
    finally:
        close_old_connections()
