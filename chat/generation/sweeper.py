"""Returns the replies of lost workers to the queue, and ends those past their deadline."""

from __future__ import annotations

import logging

from django.conf import settings

from chat.generation import claim, news

logger = logging.getLogger(__name__)

SWEEP_S = 2.0


def sweep() -> int:
    """Look once; returns how many replies went back to the queue. 4 queries when all is well."""
    returned, ended = claim.return_expired()
    ended += claim.fail_overdue(settings.VL_REPLY_DEADLINE_S)
    for reply_id in ended:
        logger.warning("sweeper: reply %s ended without its worker", reply_id)
        news.reply_ended(reply_id)
    if returned:
        logger.warning("sweeper: %d replies lost their worker and wait again", returned)
    return returned
