"""Let transformers be imported where torchvision's compiled part does not fit this torch.

torchvision 0.28 declares fakes for `nms` and `qnms` on import and fails when its library could not
be loaded. Neither is ever called here, so their schemas alone are enough.
"""

import importlib.util
from functools import cache
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def declare_missing_operators() -> torch.library.Library | None:
    """Declare torchvision's schemas if its library does not load; None when there was no need."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    try:
        torch.ops.load_library(Path(spec.origin).parent / "_C.so")
    except (OSError, ImportError):
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in _SCHEMAS:
            library.define(schema)
        return library
    return None


declare_missing_operators()
