"""A process that answers replies for web processes elsewhere.

It runs the same runner as the one process does. Beside it one thread tells the others that it is
alive, and one hears stops. Redis carries both, and the database alone suffices where it is away.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, close_old_connections
from redis.exceptions import RedisError

from chat.generation import claim as claims
from chat.generation import local, tasks, workers
from chat.generation.redis_link import RedisAwayError, redis_link
from chat.generation.relay import relay
from inference.service import InferenceService, Phase

if TYPE_CHECKING:
    from chat.generation.redis_link import RedisLink
    from inference.service import ServiceState

logger = logging.getLogger(__name__)

STOP_POLL_S = 0.5  # how long a stop takes at most that is not heard through Redis
CLOSE_S = 20.0


class Worker:
    """The worker of this process."""

    def __init__(self, service: InferenceService, link: RedisLink) -> None:
        """Prepare; nothing runs before `start`."""
        self.runner = local.LocalRunner(
            service, ring_all=tasks.ring, may_fail_replies=self._is_nobody_ready
        )
        self._link = link
        self._closing = threading.Event()
        self._closed: threading.Thread | None = None

    def start(self) -> None:
        """Load the model and begin to answer, all in the background."""
        relay.serve()
        self.runner.service.add_listener(self._on_model_change)
        self.runner.start()
        for target in (self._beat_forever, self._hear_stops_forever):
            threading.Thread(target=target, name=target.__name__[1:], daemon=True).start()

    def begin_to_close(self) -> None:
        """Claim nothing more and return what is being written, in the background."""
        if self._closed is None:
            self._closed = threading.Thread(target=self._close, name="close", daemon=False)
            self._closed.start()

    def _close(self) -> None:
        self._closing.set()
        self.runner.close(CLOSE_S)
        workers.leave(self._link, self.runner.owner)
        logger.info("worker: closed")

    def _is_nobody_ready(self) -> bool:
        try:
            beats = workers.read_beats(self._link)
        except RedisAwayError:
            return False
        return all(each.state.phase != Phase.READY for each in beats)

    def _on_model_change(self, state: ServiceState) -> None:
        if self._closing.is_set():
            return
        workers.beat(self._link, self.runner.owner, self.runner.service)
        if state.phase == Phase.READY and state.upcoming is None:
            sys.stdout.write("Worker ready\n")
            sys.stdout.flush()
        elif state.phase == Phase.FAILED:
            logger.error("The model is not available: %s", state.error)

    def _beat_forever(self) -> None:
        while not self._closing.wait(workers.BEAT_S):
            workers.beat(self._link, self.runner.owner, self.runner.service)

    def _hear_stops_forever(self) -> None:
        stops = self._link.redis.pubsub(ignore_subscribe_messages=True)
        while not self._closing.is_set():
            try:
                self._cancel(_next_stop(stops))
            except RedisError:
                self._closing.wait(STOP_POLL_S)
            self._cancel_as_rows_say()
        stops.close()

    def _cancel(self, told: str | None) -> None:
        for reply_id in self.runner.being_written():
            if str(reply_id) == told:
                self.runner.cancel(reply_id)

    def _cancel_as_rows_say(self) -> None:
        written = self.runner.being_written()
        if not written:
            return
        try:
            for reply_id in claims.to_be_stopped(written):
                self.runner.cancel(reply_id)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("worker: cannot look for stops: %s", error)
        finally:
            close_old_connections()


def _next_stop(stops: Any) -> str | None:
    """Wait up to `STOP_POLL_S` for the id of a reply to be stopped."""
    if not stops.subscribed:
        stops.subscribe(workers.STOPS_CHANNEL)
    message = stops.get_message(timeout=STOP_POLL_S)
    return None if message is None else str(message["data"])


@functools.cache
def worker() -> Worker:
    """Give this process's worker; it answers only once it is started."""
    return Worker(InferenceService(local.inference_config()), redis_link())
