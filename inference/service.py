"""The public face of inference: start a model, submit requests, read their events, stop, close.

Everything is synchronous and thread-safe, and nothing but the iteration of a `Generation` blocks.
One thread loads and exchanges models; `slots` threads answer. After a request is accepted it gets
exactly one terminal event, whatever happens.
"""

from __future__ import annotations

import logging
import threading
from time import monotonic

from inference.backends.base import Backend, Emit, LoadedModel, ModelFiles
from inference.backends.engine import EngineBackend
from inference.backends.transformers import TransformersBackend
from inference.config import BackendName, InferenceConfig
from inference.errors import ErrorCode, InferenceError
from inference.generation import Generation
from inference.images import QWEN3_VL_LIMITS, ImageLimits, count_image_tokens
from inference.live_stats import AnswerMeter, LiveStats
from inference.loader import FixedSource, ModelLoader, ModelSource
from inference.model_seat import ModelSeat
from inference.model_source import HubModelSource
from inference.request_queue import CLOSING_MESSAGE, RequestQueue, closing_error
from inference.requests import (
    Failed,
    Finished,
    FinishReason,
    GenerationRequest,
    PixelBudget,
    Stage,
    StageProgress,
    Timings,
    Usage,
)
from inference.service_state import Listener, Phase, ServiceState, ServiceStats, StateBoard

__all__ = ["Generation", "InferenceService", "Phase", "ServiceState", "ServiceStats"]

logger = logging.getLogger(__name__)

PREPARING_PHASES = (Phase.STARTING, Phase.DOWNLOADING, Phase.LOADING, Phase.WARMING)


class InferenceService:
    """Answers questions about pictures with one model, in threads of its own.

    Threads: `inference-loader` and `inference-slot-N`, all daemons. Make one in the process that
    generates, after any fork; torch is imported when the model loads.
    """

    def __init__(
        self,
        config: InferenceConfig,
        *,
        backend: Backend | None = None,
        source: ModelSource | None = None,
    ) -> None:
        """Prepare without starting a thread.

        `backend` and `source` replace those that `config` names, for tests.
        """
        self._slots = config.slots
        self._context_tokens = config.context_tokens
        self._stop = threading.Event()
        self._seat = ModelSeat()
        self._board = StateBoard()
        self._meter = AnswerMeter()
        self._queue = RequestQueue(slots=config.slots, max_waiting=config.max_queue)
        self._loader = ModelLoader(
            source=source or _make_source(config),
            backend=backend or _make_backend(config),
            seat=self._seat,
            board=self._board,
            stop=self._stop,
        )
        self._start_lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._board.add_listener(self._on_state)

    @property
    def state(self) -> ServiceState:
        """Return what the service is busy with and who answers."""
        return self._board.state

    @property
    def slots(self) -> int:
        """Return how many requests are answered at once."""
        return self._slots

    @property
    def image_limits(self) -> ImageLimits:
        """Return how the answering model cuts pictures; before one is loaded, Qwen3-VL."""
        model = self._seat.current
        return QWEN3_VL_LIMITS if model is None else model.image_limits

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and answer may take; before a model is loaded, at most."""
        model = self._seat.current
        return self._context_tokens if model is None else model.context_tokens

    def start(self) -> None:
        """Begin to load the model, in the background. Calling it twice is harmless."""
        with self._start_lock:
            if self._threads or self._stop.is_set():
                return
            names = [f"inference-slot-{slot}" for slot in range(self._slots)]
            self._threads = [
                threading.Thread(target=self._loader.run, name="inference-loader", daemon=True),
                *(threading.Thread(target=self._answer_all, name=n, daemon=True) for n in names),
            ]
            for thread in self._threads:
                thread.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Block until a question would be answered, loading failed, or `timeout_s` passed.

        Returns whether a question would be answered.
        """
        self._board.wait_for(Phase.READY, Phase.FAILED, Phase.CLOSED, timeout_s=timeout_s)
        return self._board.state.phase is Phase.READY

    def add_listener(self, callback: Listener) -> None:
        """Call `callback` with each new state, in a thread of the service; it must be quick."""
        self._board.add_listener(callback)

    def submit(self, request: GenerationRequest) -> Generation:
        """Queue a request and return at once.

        While the model loads, requests wait and are told how far it is.

        Raises:
            InferenceError: `invalid_options`, `queue_full`, or `model_unavailable` if loading
                failed or the service is closed.
        """
        request.options.check()
        generation = Generation(request, withdraw=self._withdraw)
        self._queue.put(generation, self._check_admission)
        _tell_loading(generation, self._board.state)
        return generation

    def stats(self) -> ServiceStats:
        """Return how full the service is and what it did."""
        return self._queue.stats()

    def live_stats(self) -> LiveStats:
        """Return speed and fill, of service and model; quick, from any thread."""
        model = self._seat.current
        return self._meter.read(self.stats(), None if model is None else model.live_stats())

    def count_image_tokens(self, width_px: int, height_px: int, pixels: PixelBudget) -> int:
        """Return what a picture will cost the answering model; before one is loaded, Qwen3-VL.

        Raises:
            InferenceError: `image_unreadable` if the picture is far too long or empty.
        """
        return count_image_tokens(width_px, height_px, pixels, self.image_limits)

    def close(self, timeout_s: float = 10.0) -> None:
        """End every request (`Failed`, `model_unavailable`, retryable) and join the threads.

        Returns after `timeout_s` at the latest; a thread that is still within one long operation
        then ends on its own and cannot reach anybody any more. Calling it twice is harmless.
        """
        deadline = monotonic() + timeout_s
        self._stop.set()
        unfinished = self._queue.close()
        self._board.change(phase=Phase.CLOSED, message=CLOSING_MESSAGE, upcoming=None)
        for generation in unfinished:
            # Failed and not stopped: nobody asked to stop, and another worker may go on with it.
            self._queue.end(generation, _as_failed(closing_error()))
            generation.cancellation.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - monotonic()))
        self._seat.replace(None)

    def _check_admission(self) -> None:
        if not self._threads:
            raise InferenceError(
                ErrorCode.MODEL_UNAVAILABLE, "The inference service is not started."
            )
        state = self._board.state
        if state.phase is Phase.FAILED:
            raise _copy_error(state)

    def _on_state(self, state: ServiceState) -> None:
        """Tell the waiting how far loading is; fail them if it failed; wake the slots."""
        if state.phase is Phase.FAILED:
            for generation in self._queue.withdraw_all():
                self._queue.end(generation, _as_failed(_copy_error(state)))
            return
        for generation in self._queue.list_waiting():
            _tell_loading(generation, state)
        self._queue.wake()

    def _answer_all(self) -> None:
        """Answer one request after the other until the service closes; a slot's thread."""
        while (generation := self._queue.take(lambda: self._seat.current is not None)) is not None:
            emit = self._meter.watch(generation.emit, submitted_at=generation.submitted_at)
            with self._seat.borrow() as model:
                event = _answer(generation, model, emit)
            if isinstance(event, Finished):
                self._meter.count_end(event)
            self._queue.end(generation, event)

    def _withdraw(self, generation: Generation) -> None:
        """End a cancelled request that is still queued; one that runs ends in its slot."""
        if self._queue.withdraw(generation):
            state = self._board.state
            usage = Usage(completion_tokens=len(generation.request.prefix_token_ids))
            stopped = Finished(FinishReason.STOPPED, usage, Timings(), state.model, state.demo)
            self._queue.end(generation, stopped)


def _answer(generation: Generation, model: LoadedModel | None, emit: Emit) -> Finished | Failed:
    """Run one request; whatever is raised becomes its terminal event."""
    request = generation.request
    if model is None:
        return _as_failed(closing_error())
    try:
        return model.answer(request, emit=emit, cancellation=generation.cancellation)
    except InferenceError as error:
        logger.info("Request %s failed: %s", request.id, error)
        return _as_failed(error)
    except MemoryError:
        logger.exception("Request %s ran out of memory.", request.id)
        return Failed(
            ErrorCode.OUT_OF_MEMORY, "There is not enough memory for this question.", retryable=True
        )
    except Exception:
        logger.exception("Request %s failed for an unforeseen reason.", request.id)
        return Failed(
            ErrorCode.GENERATION_FAILED, "The answer broke off. The log says why.", retryable=True
        )


def _tell_loading(generation: Generation, state: ServiceState) -> None:
    if state.phase in PREPARING_PHASES:
        generation.emit(StageProgress(Stage.LOADING, state.done, state.total))


def _as_failed(error: InferenceError) -> Failed:
    return Failed(error.code, error.message, error.retryable)


def _copy_error(state: ServiceState) -> InferenceError:
    """Return a new error: one that is raised again and again would collect tracebacks."""
    if state.error is None:
        return InferenceError(ErrorCode.MODEL_UNAVAILABLE, state.message)
    return InferenceError(state.error.code, state.error.message, retryable=state.error.retryable)


def _make_backend(config: InferenceConfig) -> Backend:
    if config.backend is BackendName.SCRIPTED:
        # Tests and web development only.
        from inference.backends.scripted import Script, ScriptedBackend

        return ScriptedBackend(Script(context_tokens=config.context_tokens))
    if config.backend is BackendName.TRANSFORMERS:
        return TransformersBackend(config)
    return EngineBackend(config)


def _make_source(config: InferenceConfig) -> ModelSource:
    if config.backend is BackendName.SCRIPTED:
        return FixedSource(ModelFiles(name=config.model or "scripted", folder=None))
    return HubModelSource(config)
