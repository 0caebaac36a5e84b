"""Makes torchvision importable beside a CPU build of torch.

The torchvision wheel on PyPI is built against CUDA, so beside a CPU torch its native library does
not load, and its import then fails at `operator torchvision::nms does not exist`: it registers
meta functions for operators that were never defined. Without torchvision neither the processor of
Qwen3-VL nor qwen_vl_utils can be imported. Nothing here calls these two operators (they belong to
object detectors), so defining their schemas is enough. Where the native library loads, nothing is
touched.
"""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path

import torch

from inference.errors import ErrorCode, InferenceError

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_lock = threading.Lock()
_kept: list[torch.library.Library] = []  # the schemas live as long as this object


def ensure_torchvision() -> None:
    """Make `import torchvision` work, or say what to install.

    Must run before anything imports torchvision.

    Raises:
        InferenceError: `model_unavailable` if torchvision is not installed at all.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise InferenceError(
            ErrorCode.MODEL_UNAVAILABLE,
            "The Python package torchvision is not installed. Install the release made for torch "
            f"{torch.__version__.split('+')[0]}: pip install --no-deps torchvision",
        )
    with _lock:
        if not _kept and not _has_native_operators(Path(spec.origin).parent):
            library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
            for schema in SCHEMAS:
                library.define(schema)  # type: ignore[no-untyped-call]
            _kept.append(library)


def _has_native_operators(package: Path) -> bool:
    """Say whether the compiled operators load.

    Loading them early is what torchvision's own import does.
    """
    for library in sorted(package.glob("_C.*")):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            return False
        return True
    return False
