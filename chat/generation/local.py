"""Who answers here: the runner in this process, or the workers that share its code.

The runner claims waiting replies and answers them on its own threads. With REDIS_URL it runs in
worker processes alone; web processes then see `RemoteWorkers` in its place.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from django.conf import settings
from django.db import close_old_connections

from chat import access
from chat.generation import claim as claims
from chat.generation import news, page_runs, sweeper
from chat.generation.answer import Answer
from chat.generation.redis_link import redis_link
from chat.generation.relay import relay
from chat.generation.reply_log import reply_log
from chat.generation.workers import Beat, RemoteWorkers
from inference.config import DEFAULT_HUB_ENDPOINT, BackendName, Dtype, InferenceConfig, Quantization
from inference.requests import PixelBudget
from inference.service import InferenceService, Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from chat.models.image import Owner
    from inference.service import ServiceState

logger = logging.getLogger(__name__)

DOORBELL_S = 2.0  # how often a runner looks by itself, should a doorbell be lost
RETRY_S = 1.0  # after a database error
ENGINE_SLOTS = 8  # answers that the engine writes together: several for little more than one
ENGINE_BACKENDS = (BackendName.AUTO, BackendName.ENGINE)


def inference_config() -> InferenceConfig:
    """Read the inference service's configuration from the settings."""
    backend = BackendName(settings.VL_BACKEND)
    data_dir = Path(settings.VL_DATA_DIR)
    return InferenceConfig(
        backend=backend,
        model=settings.VL_MODEL or None,
        threads=settings.VL_THREADS,
        dtype=Dtype(settings.VL_DTYPE),
        quantization=Quantization(settings.VL_QUANTIZATION),
        slots=settings.VL_SLOTS or (ENGINE_SLOTS if backend in ENGINE_BACKENDS else 1),
        packed_cache_dir=data_dir / "packed-weights",
        kv_cache_bytes=settings.VL_KV_CACHE_BYTES,
        kv_spill_bytes=settings.VL_KV_SPILL_BYTES,
        kv_spill_dir=data_dir / "spilled-conversations",
        picture_cache_bytes=settings.VL_PICTURE_CACHE_BYTES,
        max_tokens=settings.VL_MAX_TOKENS,
        context_tokens=settings.VL_CONTEXT_TOKENS,
        pixels=PixelBudget(settings.VL_PIXELS),
        hub_offline=settings.HF_HUB_OFFLINE,
        hub_endpoint=settings.HF_ENDPOINT or DEFAULT_HUB_ENDPOINT,
    )


class Answerer(Protocol):
    """Whoever answers, as the rest of this process sees it; nothing here waits."""

    @property
    def state(self) -> ServiceState:
        """What it is busy with, and which model answers."""

    @property
    def has_worker(self) -> bool:
        """Whether anybody is there who answers, or will."""

    @property
    def is_ready(self) -> bool:
        """Whether a question would be answered now."""

    @property
    def slots(self) -> int:
        """How many replies are answered at once."""

    @property
    def beats(self) -> list[Beat]:
        """What each of those who answer says of itself."""

    @property
    def context_tokens(self) -> int:
        """How many tokens prompt and answer may take together."""

    def ring(self) -> None:
        """Say that a reply may be waiting."""

    def cancel(self, reply_id: uuid.UUID) -> None:
        """Stop a reply that is being written, within a token."""

    def count_image_tokens(self, width_px: int, height_px: int, pixels: PixelBudget) -> int:
        """See `InferenceService.count_image_tokens`."""


class LocalRunner:
    """Answers replies in this process, as many at once as the inference service has slots.

    A thread for each slot looks when it is rung for, and by itself every `DOORBELL_S`; other
    threads may lend themselves by `answer_waiting`.
    """

    has_worker = True

    def __init__(
        self,
        service: InferenceService,
        *,
        ring_all: Callable[[], None] | None = None,
        may_fail_replies: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare; nothing runs before `start`.

        `ring_all` wakes all runners, where there are others. `may_fail_replies` says whether a
        reply may get the error of a model that did not load here.
        """
        self.service = service
        self.slots = service.slots
        self.count_image_tokens = service.count_image_tokens
        self._ring_all = ring_all or self.ring
        self._may_fail_replies = may_fail_replies
        self._free_slots = threading.BoundedSemaphore(service.slots)
        self.owner = f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._doorbell = threading.Condition()
        self._rings = 0
        self._is_closing = False
        self._answers: dict[uuid.UUID, Answer] = {}
        self._threads: list[threading.Thread] = []

    @property
    def state(self) -> ServiceState:
        """What the service is busy with, and which model answers."""
        return self.service.state

    @property
    def beats(self) -> list[Beat]:
        """What this one runner says of itself."""
        return [Beat.of(self.owner, self.service)]

    @property
    def is_ready(self) -> bool:
        """Whether a question would be answered now."""
        return bool(self._threads) and self.service.state.phase == Phase.READY

    @property
    def context_tokens(self) -> int:
        """How many tokens prompt and answer may take together."""
        return self.service.context_tokens

    def start(self) -> None:
        """Load the model and begin to answer, all in the background."""
        self.service.add_listener(self._on_model_change)
        self.service.start()
        for index in range(self.slots):
            self._start_thread(self._answer_forever, f"runner-{index}")
        self._start_thread(self._sweep_forever, "sweeper")
        self._start_thread(self._sweep_files_forever, "file-sweeper")

    def ring(self) -> None:
        """Say that a reply may be waiting."""
        with self._doorbell:
            self._rings += 1
            self._doorbell.notify_all()

    def cancel(self, reply_id: uuid.UUID) -> None:
        """Stop a reply that this process is writing, within a token."""
        answer = self._answers.get(reply_id)
        if answer is not None:
            answer.cancel()

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop answering; what is being written goes back to the queue with its text."""
        with self._doorbell:
            self._is_closing = True
            self._doorbell.notify_all()
        for answer in list(self._answers.values()):
            answer.release()
        deadline = time.monotonic() + timeout_s
        self.service.close(timeout_s)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads.clear()
        self._ring_all()  # somebody else may take up what was given back

    def answer_waiting(self) -> bool:
        """Answer until nobody waits; returns whether any was, not at all while no slot is free."""
        has_answered = False
        while self._can_answer() and self._free_slots.acquire(blocking=False):
            try:
                if not self._answer_next():
                    return has_answered
                has_answered = True
            finally:
                self._free_slots.release()
                close_old_connections()
        return has_answered

    def being_written(self) -> list[uuid.UUID]:
        """List the replies that this process is writing."""
        return list(self._answers)

    def _start_thread(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _answer_forever(self) -> None:
        heard = 0
        while not self._is_closing:
            try:
                self.answer_waiting()
            except Exception:  # a thread that ends here would answer nobody any more
                logger.exception("runner: could not answer; trying again")
                time.sleep(RETRY_S)
            heard = self._wait_for_ring(heard)

    def _can_answer(self) -> bool:
        """Leave replies waiting while the model loads; a failed model answers with its error."""
        if self._is_closing:
            return False
        phase = self.state.phase
        return phase == Phase.READY or (phase == Phase.FAILED and self._may_fail_replies())

    def _answer_next(self) -> bool:
        claim = claims.claim_next(self.owner)
        if claim is None:
            return False
        news.queue_moved(slots=self.slots)
        answer = Answer(claim, self.service, reply_log)
        self._answers[claim.reply_id] = answer
        if self._is_closing:  # `close` may have looked before this answer was there
            answer.release()
        try:
            answer.run()
        finally:
            del self._answers[claim.reply_id]
        page_runs.carry_on_after(claim.reply_id)
        return True

    def _wait_for_ring(self, heard: int) -> int:
        with self._doorbell:
            self._doorbell.wait_for(
                lambda: self._rings != heard or self._is_closing, timeout=DOORBELL_S
            )
            return self._rings

    def _sweep_files_forever(self) -> None:
        while not self._closes_within(sweeper.SWEEP_FILES_S):
            sweeper.sweep_files()

    def _closes_within(self, seconds: float) -> bool:
        with self._doorbell:
            return self._doorbell.wait_for(lambda: self._is_closing, timeout=seconds)

    def _sweep_forever(self) -> None:
        while not self._closes_within(sweeper.SWEEP_S):
            try:
                if sweeper.sweep():
                    self._ring_all()
            except Exception:  # without it lost replies would wait for ever
                logger.exception("sweeper: could not look; trying again")
            finally:
                close_old_connections()

    def _on_model_change(self, state: ServiceState) -> None:
        news.model_changed()
        if state.phase in (Phase.READY, Phase.FAILED):
            self.ring()


@functools.cache
def runner() -> LocalRunner:
    """Give this process's runner; it answers only once it is started."""
    return LocalRunner(InferenceService(inference_config()))


@functools.cache
def remote_workers() -> RemoteWorkers:
    """Give the workers that share REDIS_URL."""
    # Celery is loaded only where it carries the doorbell.
    from chat.generation.tasks import ring

    return RemoteWorkers(redis_link(), ring=ring, on_change=news.model_changed)


def answerer() -> Answerer:
    """Give who answers the questions that this process takes."""
    return remote_workers() if settings.REDIS_URL else runner()


def attend() -> None:
    """Begin what a web process does beside its requests, where workers answer in its place."""
    if settings.REDIS_URL:
        relay.serve()
        remote_workers().start(also=_sweep_without_workers)


def _sweep_without_workers() -> None:
    """Let deadlines end what waits while no worker lives; workers sweep by themselves."""
    try:
        if not remote_workers().has_worker:
            sweeper.sweep()
    finally:
        close_old_connections()


def stop(user: Owner, reply_id: uuid.UUID, *, seen_offset: int | None) -> None:
    """Ask for a reply's end: a waiting one stops at once, a running one within a token.

    A running reply keeps its text up to `seen_offset`. Stopping an ended reply changes nothing.

    Raises:
        ChatError: message_not_found.
    """
    reply = access.reply_for(user, reply_id)
    if claims.request_stop(reply.pk, seen_offset=seen_offset):
        news.reply_ended(reply.pk)
        news.queue_moved(slots=answerer().slots)
    else:
        answerer().cancel(reply.pk)
