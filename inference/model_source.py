"""Which model answers: the wanted one where it is, the demo until it can be had.

`model` in the config is a folder, a hub name, or None. None is the default 2B model with the
bundled demo model as stand-in; a folder or name that somebody asked for is never replaced by the
demo.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from inference.backends.base import ModelFiles, ReportProgress
from inference.config import DEFAULT_MODEL, InferenceConfig
from inference.errors import ErrorCode, InferenceError
from inference.hubs import DownloadStopped, Hub, HuggingFaceHub, ModelScopeHub, are_reachable
from inference.model_folder import check_model_folder

logger = logging.getLogger(__name__)

DEMO_NAME = "demo"
BUNDLED_DEMO_DIR = Path(__file__).parent / "demo" / "weights"


class HubModelSource:
    """Finds a model in a folder, in the hubs' caches, or at the hubs; see `loader.ModelSource`."""

    def __init__(self, config: InferenceConfig, hubs: Sequence[Hub] | None = None) -> None:
        """Look where `config` says.

        `hubs` replaces both hubs, in the order of trying, for tests.
        """
        self._config = config
        self._hubs = tuple(hubs) if hubs is not None else _make_hubs(config)
        self._folder = _as_folder(config.model)

    @property
    def wanted(self) -> str:
        """Return the wanted model's name: the hub name, or the folder's own name."""
        if self._folder is not None:
            return self._folder.name
        return self._config.model or DEFAULT_MODEL

    def find_local(self) -> ModelFiles | None:
        """Return the wanted model if it is whole on this machine.

        Raises:
            InferenceError: `model_unavailable` if it is a folder and broken, naming the file.
        """
        if self._folder is not None:
            try:
                check_model_folder(self._folder)
            except InferenceError:
                logger.error("The model folder %s is not usable.", self._folder)
                raise
            return ModelFiles(self.wanted, self._folder)
        for hub in self._hubs:
            folder = hub.find_cached(self.wanted)
            if folder is not None and self._is_whole(folder, hub):
                return ModelFiles(self.wanted, folder)
        return None

    def find_stand_in(self) -> ModelFiles | None:
        """Return the demo model if no certain model was asked for and the demo is whole."""
        if self._config.model is not None:
            return None
        folder = self._config.demo_dir or BUNDLED_DEMO_DIR
        try:
            check_model_folder(folder)
        except InferenceError as error:
            logger.warning("The bundled demo model cannot be used: %s", error.message)
            return None
        return ModelFiles(DEMO_NAME, folder, demo=True)

    def fetch(self, report: ReportProgress, stop: threading.Event) -> ModelFiles:
        """Download the wanted model from the first hub that gives it.

        Raises:
            InferenceError: `model_unavailable`; after 5 s at the latest if no hub can be reached.
        """
        if self._config.hub_offline:
            raise _unavailable(
                self.wanted, "downloads are switched off (HF_HUB_OFFLINE)", retryable=False
            )
        reachable = are_reachable([hub.endpoint for hub in self._hubs])
        for hub, is_up in zip(self._hubs, reachable, strict=True):
            if not is_up:
                logger.warning("%s (%s) cannot be reached.", hub.name, hub.endpoint)
                continue
            folder = self._download_from(hub, report, stop)
            if folder is not None:
                return ModelFiles(self.wanted, folder)
        if not any(reachable):
            raise _unavailable(self.wanted, "there is no connection to a model hub", retryable=True)
        raise _unavailable(self.wanted, "the download failed", retryable=True)

    def _download_from(
        self, hub: Hub, report: ReportProgress, stop: threading.Event
    ) -> Path | None:
        logger.info("Downloading %s from %s (%s).", self.wanted, hub.name, hub.endpoint)
        try:
            folder = hub.download(self.wanted, report, stop)
        except DownloadStopped as error:
            raise _unavailable(self.wanted, "the service is closing", retryable=True) from error
        except Exception as error:  # noqa: BLE001  # the hub libraries raise many kinds; the next hub is tried
            logger.warning("%s did not give %s: %s", hub.name, self.wanted, _first_line(error))
            return None
        return folder if self._is_whole(folder, hub) else None

    def _is_whole(self, folder: Path, hub: Hub) -> bool:
        try:
            check_model_folder(folder)
        except InferenceError as error:
            logger.info("The copy from %s is not whole: %s", hub.name, error.message)
            return False
        return True


def _make_hubs(config: InferenceConfig) -> tuple[Hub, ...]:
    return (
        HuggingFaceHub(config.hub_endpoint, config.cache_dir),
        ModelScopeHub(config.modelscope_endpoint, config.modelscope_cache_dir),
    )


def _as_folder(model: str | None) -> Path | None:
    """Return the path if `model` means a folder.

    It does if that folder exists, or if it could never be a hub name ('owner/name').
    """
    if model is None:
        return None
    path = Path(model).expanduser()
    looks_like_path = model.startswith(("/", ".", "~")) or model.count("/") != 1 or "\\" in model
    return path if looks_like_path or path.is_dir() else None


def _unavailable(model: str, reason: str, *, retryable: bool) -> InferenceError:
    return InferenceError(
        ErrorCode.MODEL_UNAVAILABLE,
        f"{model} is not on this machine, and {reason}.",
        retryable=retryable,
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
