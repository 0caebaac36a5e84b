"""Returns the replies of lost workers to the queue, and ends those past their deadline.

Purges the conversations, too, that were deleted too long ago to be brought back, and PDFs kept long
enough. Runs through documents that nobody carried on go on.
"""

from __future__ import annotations

import logging

from django.conf import settings

from chat.generation import claim, news, page_runs
from chat.services import deletion, documents

logger = logging.getLogger(__name__)

SWEEP_S = 2.0


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
    page_runs.carry_on_idle()
    documents.remove_old()
    return returned
