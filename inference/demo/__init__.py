"""The bundled demo model: a very small Qwen3-VL that knows drawn shapes, colours and a few words.

Importing this package costs nothing: neither torch nor Pillow is loaded here.
"""

from pathlib import Path
from typing import Final

WEIGHTS_DIR: Final = Path(__file__).parent / "weights"
"""Folder with weights, configuration, tokenizer, processor settings and chat template."""

REFUSAL: Final = (
    "I am only a small demo model: "
    "I know drawn shapes, colours, positions, numbers and a few words."
)
"""The one sentence the model says about everything outside its world."""

__all__ = ["REFUSAL", "WEIGHTS_DIR"]
