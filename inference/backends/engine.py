"""The backend of our own engine, and the way out for models that it cannot run.

Light to import: torch and the engine come in when a model is loaded, in the process that
generates.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from inference.backends.base import Backend, LoadedModel, ModelFiles, ReportProgress
from inference.backends.library_preload import preload_torch
from inference.backends.load_errors import naming_load_errors
from inference.backends.one_at_a_time import OneAtATime
from inference.backends.quick_import import collector_paused
from inference.backends.transformers import TransformersBackend
from inference.config import BackendName, InferenceConfig
from inference.engine.shape import UnsupportedModelError, read_shape
from inference.errors import ErrorCode, InferenceError

if TYPE_CHECKING:
    from inference.processor.parts import ProcessorParts

logger = logging.getLogger(__name__)


class EngineBackend:
    """Loads models into the engine; those it cannot run, through `fallback`."""

    def __init__(self, config: InferenceConfig, fallback: Backend | None = None) -> None:
        """Keep the settings.

        `fallback` is transformers unless given; where `config` insists on the engine there is none.
        """
        self._config = config
        self._fallback = fallback or TransformersBackend(config)

    def load(self, files: ModelFiles, report: ReportProgress) -> LoadedModel:
        """Load a model from its folder; the log says who runs it, and why not the engine.

        Raises:
            InferenceError: `model_unavailable` or `out_of_memory`, with a text that says what to
            do.
        """
        if files.folder is None:
            raise InferenceError(ErrorCode.MODEL_UNAVAILABLE, f"{files.name} has no folder.")
        try:
            model = self._load(files, files.folder, report)
        except UnsupportedModelError as error:
            if self._config.backend is BackendName.ENGINE:
                raise InferenceError(
                    ErrorCode.MODEL_UNAVAILABLE, f"The engine cannot run {files.name}: {error}."
                ) from error
            logger.info("transformers runs %s; the engine cannot: %s.", files.name, error)
            return OneAtATime(self._fallback.load(files, report))
        logger.info("The engine runs %s as %s.", files.name, self._config.quantization)
        return model

    def _load(self, files: ModelFiles, folder: Path, report: ReportProgress) -> LoadedModel:
        with naming_load_errors(files, but=UnsupportedModelError):
            read_shape(folder)  # refuses other models before anything takes time
            parts = _read_parts(folder)
            with collector_paused():  # more than a second, only when a model is loaded
                from inference.backends.engine_loading import load_engine_model

            return load_engine_model(files, folder, parts=parts, config=self._config, report=report)


def _read_parts(folder: Path) -> ProcessorParts | None:
    """Read what prepares prompts, while another thread opens torch's library.

    The two fit together: reading the tokenizer holds the interpreter's lock for half a second, and
    opening the library does not ask for it. The modules come first, because an import of compiled
    ones would wait for that library, with the lock held.
    """
    with collector_paused():
        from inference.processor.parts import find_parts

    preload_torch()
    return find_parts(folder)
