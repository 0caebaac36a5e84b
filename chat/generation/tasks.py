"""The doorbell between processes: a Celery task without content.

Whoever hears it claims the best waiting reply; the row is the job. A lost or doubled doorbell is
harmless, since workers also look by themselves.
"""

from __future__ import annotations

import logging

from kombu.exceptions import OperationalError

from vlsite.celery import app

logger = logging.getLogger(__name__)

# A doorbell that nobody has heard by then is one among many: workers looked meanwhile.
EXPIRES_S = 60


@app.task(name="chat.answer_waiting")  # type: ignore[untyped-decorator]  # Celery is untyped
def answer_waiting() -> None:
    """Answer until nobody waits; nothing while every slot of this worker is busy."""
    # Only a worker runs this, and it has long loaded it.
    from chat.generation.worker import worker

    worker().runner.answer_waiting()


def ring() -> None:
    """Ring for all workers; returns soon, also while Redis is away."""
    try:
        answer_waiting.apply_async(expires=EXPIRES_S, retry=False)
    except OperationalError as error:
        logger.warning("doorbell: not rung, workers look by themselves: %s", error)
