"""What the web side may import stays light, and the package knows no web framework."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT_MODULES = ("service", "requests", "errors", "config", "images", "prompt", "testing")


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_importing_the_public_face_loads_no_heavy_package(module: str) -> None:
    heavy = ("torch", "transformers", "torchvision", "huggingface_hub", "django", "numpy")
    program = f"import inference.{module}, sys; print([m for m in {heavy!r} if m in sys.modules])"

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"


def test_counting_tokens_loads_no_torch() -> None:
    program = (
        "import sys; from inference.service import InferenceService as S;"
        "from inference.config import InferenceConfig as C;"
        "from inference.requests import PixelBudget as P;"
        "S(C()).count_image_tokens(640, 480, P.FAST); print('torch' in sys.modules)"
    )

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "False"
