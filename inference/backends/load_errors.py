"""What people read when a model cannot be loaded; shared by the backends."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from inference.backends.base import ModelFiles
from inference.errors import ErrorCode, InferenceError

logger = logging.getLogger(__name__)


@contextmanager
def naming_load_errors(files: ModelFiles, but: type[Exception] = InferenceError) -> Iterator[None]:
    """Turn whatever the loading of `files` raises, `but` one kind, into an error for people.

    Raises:
        InferenceError: `model_unavailable` or `out_of_memory`; one that is raised within passes.
    """
    try:
        yield
    except (InferenceError, but):
        raise
    except ImportError as error:
        raise InferenceError(
            ErrorCode.MODEL_UNAVAILABLE,
            f"A Python package is missing or does not fit ({error}). "
            "Install the project's requirements again.",
        ) from error
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
