"""`manage.py work`: answer replies for web processes elsewhere."""

from __future__ import annotations

import os
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chat.generation import local
from vlsite.checks import refuse_if_unsafe


class Command(BaseCommand):
    """Loads the model and answers what web processes with the same Redis and database take."""

    help = "Answer replies; prints “Worker ready” once a question would be answered."

    def handle(self, **_options: Any) -> None:
        """Work until SIGTERM or Ctrl-C; what is being written then goes back to the queue.

        Raises:
            CommandError: the settings are unsafe, or REDIS_URL is not set.
        """
        refuse_if_unsafe()
        if not settings.REDIS_URL:
            raise CommandError("REDIS_URL is not set; without it `serve` answers by itself.")
        # Celery is loaded only where it is used.
        from vlsite.celery import app

        # Each process has a name of its own; workers have nothing to say to each other.
        name = f"worker-{os.getpid()}@{socket.gethostname()}"
        slots = str(local.inference_config().slots)
        options = f"--hostname {name} --concurrency {slots} --loglevel WARNING"
        alone = "--without-gossip --without-mingle"
        app.worker_main(["--quiet", "worker", *options.split(), *alone.split()])
