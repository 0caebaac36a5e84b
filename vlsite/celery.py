"""Celery carries the doorbell between web processes and workers; nothing else.

`manage.py work` starts a worker; so does `celery -A vlsite worker`, with the same settings.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vlsite.settings")

app = Celery("vlsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["chat.generation"])


def _start_answering(**_: Any) -> None:
    """Load the model and begin to answer, whether or not Celery reaches its broker."""
    # Only a worker answers, and Django is set up by now.
    from chat.generation import worker

    worker.worker().start()


def _stop_answering(**_: Any) -> None:
    """Return what is being written; Celery waits for its threads, which end with it."""
    from chat.generation import worker

    worker.worker().begin_to_close()


worker_init.connect(_start_answering)
worker_shutting_down.connect(_stop_answering)
