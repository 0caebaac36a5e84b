"""How the service comes to a model: choose, fetch, load, warm up, exchange for a better one.

Runs in one background thread. The rules of choosing are the source's; this module keeps the order
and says at each step, in the log and in the state, who answers.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from inference.backends.base import Backend, LoadedModel, ModelFiles, ReportProgress
from inference.errors import ErrorCode, InferenceError
from inference.model_seat import ModelSeat
from inference.service_state import Phase, ServiceState, StateBoard

logger = logging.getLogger(__name__)

REPORT_EVERY_S = 0.5


class ModelSource(Protocol):
    """Knows which model is wanted and where its files are."""

    @property
    def wanted(self) -> str:
        """Return the name of the model that shall answer in the end."""

    def find_local(self) -> ModelFiles | None:
        """Return the wanted model if it is whole on this machine.

        Raises:
            InferenceError: `model_unavailable` if it is a folder and broken, naming the file.
        """

    def find_stand_in(self) -> ModelFiles | None:
        """Return the model that may answer until the wanted one is here, if any may.

        None where waiting is better than another model's answer.
        """

    def fetch(self, report: ReportProgress, stop: threading.Event) -> ModelFiles:
        """Download the wanted model; decides within 5 s that there is no network.

        Raises:
            InferenceError: `model_unavailable`, retryable where the network is the reason.
        """


@dataclass(frozen=True, slots=True)
class FixedSource:
    """A source whose model is always at hand."""

    files: ModelFiles

    @property
    def wanted(self) -> str:
        """Return the model's name."""
        return self.files.name

    def find_local(self) -> ModelFiles | None:
        """Return the model."""
        return self.files

    def find_stand_in(self) -> ModelFiles | None:
        """Return None: nothing has to stand in."""
        return None

    def fetch(self, report: ReportProgress, stop: threading.Event) -> ModelFiles:
        """Return the model."""
        return self.files


class ModelLoader:
    """Brings the wanted model into the seat; see `run`."""

    def __init__(
        self,
        *,
        source: ModelSource,
        backend: Backend,
        seat: ModelSeat,
        board: StateBoard,
        stop: threading.Event,
    ) -> None:
        """Keep the collaborators; nothing starts yet."""
        self._source = source
        self._backend = backend
        self._seat = seat
        self._board = board
        self._stop = stop

    def run(self) -> None:
        """Choose, load and warm up a model, then fetch a better one.

        Every failure ends in the state, none escapes.
        """
        try:
            self._run()
        except _Stopped:
            logger.info("Loading was broken off: the service is closing.")
        except InferenceError as error:
            self._fail(error)
        except Exception:
            logger.exception("Loading failed for an unforeseen reason.")
            self._fail(
                InferenceError(
                    ErrorCode.MODEL_UNAVAILABLE, "The model could not be loaded. The log says why."
                )
            )

    def _run(self) -> None:
        wanted = self._source.wanted
        files = self._source.find_local()
        if files is not None:
            self._seat_model(files)
            return
        stand_in = self._source.find_stand_in()
        if stand_in is None:
            logger.info("%s is not on this machine; fetching it before the first answer.", wanted)
            self._post(Phase.DOWNLOADING, wanted, f"Downloading {wanted}.")
            self._seat_model(self._fetch())
            return
        self._seat_model(stand_in)
        self._fetch_and_exchange(wanted)

    def _fetch_and_exchange(self, wanted: str) -> None:
        """Replace the answering stand-in when the wanted model is here; keep it when that fails."""
        self._board.change(upcoming=wanted, done=0, total=0, message=f"Downloading {wanted}.")
        try:
            files = self._fetch()
            self._board.change(message=f"Loading {wanted}.")
            model = self._load_warm(files)
        except InferenceError as error:
            self._check_stop()
            logger.warning(
                "%s cannot be used: %s The demo model goes on answering.", wanted, error.message
            )
            self._board.change(upcoming=None, done=0, total=0, message=error.message)
            return
        self._take_seat(model)

    def _seat_model(self, files: ModelFiles) -> None:
        self._post(Phase.LOADING, files.name, f"Loading {files.name}.", demo=files.demo)
        model = self._load_warm(files, is_foreground=True)
        self._take_seat(model)

    def _load_warm(self, files: ModelFiles, *, is_foreground: bool = False) -> LoadedModel:
        logger.info("Loading %s from %s.", files.name, files.folder or "the program")
        began = monotonic()
        report = self._reporter(is_shown=is_foreground)
        model = self._backend.load(files, report)
        self._check_stop()
        if is_foreground:
            self._post(Phase.WARMING, files.name, f"Warming up {files.name}.", demo=files.demo)
        model.warm_up()
        self._check_stop()
        logger.info("%s is loaded and warm after %.1f s.", files.name, monotonic() - began)
        return model

    def _take_seat(self, model: LoadedModel) -> None:
        self._seat.replace(model)
        kind = "The bundled demo model" if model.demo else model.name
        logger.info("%s answers now.", kind)
        self._post(Phase.READY, model.name, f"{kind} answers.", demo=model.demo)

    def _fetch(self) -> ModelFiles:
        files = self._source.fetch(self._reporter(), self._stop)
        self._check_stop()
        return files

    def _reporter(self, *, is_shown: bool = True) -> ReportProgress:
        """Return a progress callback that changes the state at most twice a second.

        It raises `_Stopped` when the service closes: the only way out of a long load.
        """
        next_at = 0.0

        def report(done: int, total: int) -> None:
            nonlocal next_at
            self._check_stop()
            now = monotonic()
            if is_shown and (now >= next_at or done == total):
                next_at = now + REPORT_EVERY_S
                self._board.change(done=done, total=total)

        return report

    def _post(self, phase: Phase, model: str, message: str, *, demo: bool = False) -> None:
        self._board.post(ServiceState(phase=phase, model=model, demo=demo, message=message))

    def _fail(self, error: InferenceError) -> None:
        logger.error("No model can answer: %s", error.message)
        self._board.change(phase=Phase.FAILED, message=error.message, error=error)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stopped


class _Stopped(Exception):  # not an error: the service is closing
    """The service is closing; loading is given up.

    Not an Exception: a backend that turns every exception into its own error must let it pass.
    """
