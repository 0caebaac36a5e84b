"""`manage.py run_multi`: several web processes and workers on this machine, without containers."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from vlsite import env
from vlsite.cluster.child import NotReadyError
from vlsite.cluster.cluster import Cluster, Installation
from vlsite.cluster.stores import StoreError

NAME_WIDTH = 9


class Command(BaseCommand):
    """Runs Redis, PostgreSQL, web processes, workers and a proxy, and starts again what dies."""

    help = "Run many instances here; prints “Ready at …” once a question would be answered."
    requires_system_checks = ()  # its processes check for themselves

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the numbers of processes."""
        parser.add_argument("--webs", type=int, default=2, help="web processes (2)")
        parser.add_argument("--workers", type=int, default=2, help="workers (2)")

    def handle(self, *, webs: int, workers: int, **_options: Any) -> None:
        """Run until SIGTERM or Ctrl-C; everything then ends, each process within 30 s.

        Raises:
            CommandError: something cannot be prepared or does not start.
        """
        self._writing = threading.Lock()
        ending = threading.Event()

        def end(*_: object) -> None:
            """Leave whatever is being waited for; what comes while all ends is not needed."""
            if not ending.is_set():
                ending.set()
                raise SystemExit

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        installation = Installation(
            folder=Path(settings.VL_DATA_DIR) / "multi",
            environment=env.inherited(),
            host=settings.VL_HOST,
            port=settings.VL_PORT,
            public_url=settings.VL_PUBLIC_URL,
            webs=webs,
            workers=workers,
        )
        cluster = Cluster(installation, self._say)
        try:
            cluster.start()
            self._write(f"Ready at {installation.url}/")
            cluster.supervise(ending)
        except (StoreError, NotReadyError) as error:
            raise CommandError(str(error)) from error
        finally:
            forced = cluster.stop()
            if forced:
                self._say("cluster", f"ended by force: {', '.join(forced)}")

    def _say(self, name: str, line: str) -> None:
        self._write(f"{name:<{NAME_WIDTH}}| {line}")

    def _write(self, line: str) -> None:
        with self._writing:
            self.stdout.write(line)
            self.stdout.flush()
