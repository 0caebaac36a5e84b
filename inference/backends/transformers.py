"""The backend for any vision-language model that transformers can load.

Light to import: torch and transformers come in when a model is loaded, in the process that
generates.
"""

from __future__ import annotations

from inference.backends.base import LoadedModel, ModelFiles, ReportProgress
from inference.backends.load_errors import naming_load_errors
from inference.config import InferenceConfig
from inference.errors import ErrorCode, InferenceError


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
        with naming_load_errors(files):
            # Seconds of import, hundreds of megabytes: only when a model is really loaded. The
            # order matters.
            from inference.backends.torchvision_shim import ensure_torchvision

            ensure_torchvision()
            from inference.backends.vision_language_model import load_vision_language_model

            return load_vision_language_model(files, self._config, report)
