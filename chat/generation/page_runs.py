"""Carries runs through documents on: the next page, or the rest of one that was cut off."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chat.errors import ChatError
from chat.generation.continuing import continue_reply
from chat.protocol import ContinueFrame
from chat.services import document_runs

if TYPE_CHECKING:
    import uuid

    from chat.models import Reply

logger = logging.getLogger(__name__)


def carry_on_after(reply_id: uuid.UUID) -> None:
    """Carry on with the run of a reply that has ended, if there is one: 1 query if not."""
    cut = document_runs.advance_after(reply_id)
    if cut is not None:
        _go_on(cut)


def carry_on_idle() -> None:
    """Carry on with all runs that nobody carried on: 1 query if there are none."""
    for cut in document_runs.advance_idle():
        _go_on(cut)


def _go_on(cut: Reply) -> None:
    """Have the rest of a page written; what forbids it passes, and the next sweep tries again."""
    try:
        continue_reply(cut.message.conversation.owner, ContinueFrame(reply=cut.pk))
    except ChatError as error:
        logger.debug("reply %s is not gone on with yet: %s", cut.pk, error.code)
