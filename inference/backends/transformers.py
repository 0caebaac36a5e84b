"""The backend for any vision-language model that transformers can load.

Light to import: torch and transformers come in when a model is loaded, in the process that
generates.
"""

from __future__ import annotations

import logging

from inference.backends.base import LoadedModel, ModelFiles, ReportProgress
from inference.config import InferenceConfig
from inference.errors import ErrorCode, InferenceError

logger = logging.getLogger(__name__)


class TransformersBackend:
    """Loads models through AutoModelForImageTextToText."""

    def __init__(self, config: InferenceConfig) -> None:
        """Keep threads, number format and limits for the models to come."""
        self._config = config

    def load(self, files: ModelFiles, report: ReportProgress) -> LoadedModel:
        """Load a model from its folder; never asks the network.

        Raises:
            InferenceError: `model_unavailable` or `out_of_memory`, with a text that says what to
            do.
        """
        if files.folder is None:
            raise InferenceError(ErrorCode.MODEL_UNAVAILABLE, f"{files.name} has no folder.")
        try:
            # Seconds of import, hundreds of megabytes: only when a model is really loaded. The
            # order matters.
            from inference.backends.torchvision_shim import ensure_torchvision

            ensure_torchvision()
            from inference.backends.vision_language_model import load_vision_language_model
        except ImportError as error:
            raise InferenceError(
                ErrorCode.MODEL_UNAVAILABLE,
                f"A Python package is missing or does not fit ({error}). "
                "Install the project's requirements again.",
            ) from error
        try:
            return load_vision_language_model(files, self._config, report)
        except InferenceError:
            raise
        except MemoryError as error:
            raise _no_memory(files) from error
        except Exception as error:
            if "allocate memory" in str(error):
                raise _no_memory(files) from error
            logger.exception("Loading %s failed.", files.name)
            raise InferenceError(
                ErrorCode.MODEL_UNAVAILABLE,
                f"{files.name} cannot be loaded ({type(error).__name__}). The log says why.",
            ) from error


def _no_memory(files: ModelFiles) -> InferenceError:
    return InferenceError(
        ErrorCode.OUT_OF_MEMORY, f"There is not enough memory to load {files.name}.", retryable=True
    )
