"""`manage.py serve`: the whole product in one process, or its web half where workers answer."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
import time
from typing import Any

from daphne.server import Server
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from chat.drain import drain
from chat.generation import local
from inference.service import Phase
from vlsite.checks import refuse_if_unsafe
from vlsite.web_server.server import PatientServer

logger = logging.getLogger(__name__)

LISTEN_POLL_S = 0.05
# Behind a proxy that asks for /readyz every second: after so long it sends nothing new.
NOTICE_S = 2.0
FINISH_S = 5.0  # what requests under way get, and sockets for saying goodbye


class Command(BaseCommand):
    """Serves pages, API and sockets; without REDIS_URL answers replies on threads beside."""

    help = "Serve the product; prints “Ready at …” once a question would be answered."

    def handle(self, **_options: Any) -> None:
        """Serve until SIGTERM or Ctrl-C; a second one ends it at once.

        Raises:
            CommandError: the settings are unsafe; the port is taken or not allowed.
        """
        refuse_if_unsafe()
        host, port = settings.VL_HOST, settings.VL_PORT
        _check_free(host, port)
        local_runner = None if settings.REDIS_URL else local.runner()
        if local_runner is not None:
            local_runner.start()
        server = PatientServer(
            import_string("vlsite.asgi.application"),
            host=host,
            port=port,
            on_ready=lambda: _end_on_signals(server),
        )
        threading.Thread(target=self._announce, args=(server,), daemon=True).start()
        try:
            server.run()
        finally:
            if local_runner is not None:
                local_runner.close()

    def _announce(self, server: Server) -> None:
        """Say that the server is ready, once it listens and the model here, if any, answers."""
        if not settings.REDIS_URL:
            service = local.runner().service
            service.wait_ready(timeout_s=threading.TIMEOUT_MAX)
            if service.state.phase == Phase.FAILED:
                logger.error("The model is not available: %s", service.state.error)
                return
        while not server.listening_addresses:
            time.sleep(LISTEN_POLL_S)
        host, port = server.listening_addresses[0]
        shown = f"[{host}]" if ":" in host else host
        self.stdout.write(f"Ready at http://{shown}:{port}/")
        self.stdout.flush()


def _end_on_signals(server: Server) -> None:
    """Drain on the first SIGTERM or Ctrl-C, stop on the second."""
    loop = asyncio.get_event_loop()  # the reactor's; it does not run yet
    leaving: list[asyncio.Task[None]] = []

    def leave() -> None:
        if leaving:
            server.stop()
        else:
            leaving.append(loop.create_task(_leave(server)))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)


async def _leave(server: Server) -> None:
    """Send the sockets elsewhere, let requests end, and stop."""
    has_others = bool(settings.REDIS_URL)
    await drain.run(
        notice_s=NOTICE_S if has_others else 0.0,
        spread_s=settings.VL_DRAIN_S if has_others else 0.0,
    )
    running = [details.get("application_instance") for details in server.connections.values()]
    serving = [each for each in running if each is not None and not each.done()]
    if serving:
        await asyncio.wait(serving, timeout=FINISH_S)
    server.stop()


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"VL_HOST={host} VL_PORT={port}: {error.strerror}. Choose another with VL_PORT."
            ) from error
