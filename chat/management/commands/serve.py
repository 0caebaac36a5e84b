"""`manage.py serve`: the whole product in one process, or its web half where workers answer."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import Any

from daphne.server import Server
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from chat.generation import local
from inference.service import Phase

logger = logging.getLogger(__name__)

PING_INTERVAL_S = 20
PING_TIMEOUT_S = 30
NO_TIMEOUT = -1
LISTEN_POLL_S = 0.05


class Command(BaseCommand):
    """Serves pages, API and sockets; without REDIS_URL answers replies on threads beside."""

    help = "Serve the product; prints “Ready at …” once a question would be answered."

    def handle(self, **_options: Any) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Raises:
            CommandError: the port is taken or not allowed.
        """
        host, port = settings.VL_HOST, settings.VL_PORT
        _check_free(host, port)
        local_runner = None if settings.REDIS_URL else local.runner()
        if local_runner is not None:
            local_runner.start()
        server = Server(
            application=import_string("vlsite.asgi.application"),
            endpoints=[f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"],
            websocket_timeout=NO_TIMEOUT,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            server_name="",
        )
        # A frame over the limit earns close code 1009 instead of a dropped connection. The
        # second option restates Daphne's own: vlsite.origins judges origins, `null` too.
        server.ready_callable = lambda: server.ws_factory.setProtocolOptions(
            failByDrop=False, allowNullOrigin=True
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
