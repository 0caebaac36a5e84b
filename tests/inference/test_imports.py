"""What the web side may import stays light, and the package knows no web framework."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT_MODULES = ("service", "requests", "errors", "config", "images", "prompt", "testing")


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_importing_the_public_face_loads_no_heavy_package(module: str) -> None:
    heavy = (
        "torch",
        "transformers",
        "torchvision",
        "huggingface_hub",
        "django",
        "numpy",
        "llguidance",
    )
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


ANSWER_BY_ENGINE = """
import sys
from inference.config import BackendName, InferenceConfig
from inference.model_source import BUNDLED_DEMO_DIR
from inference.service import InferenceService
from inference.testing import make_request, read_events
config = InferenceConfig(backend=BackendName.ENGINE, model=str(BUNDLED_DEMO_DIR), threads=1)
service = InferenceService(config)
service.start()
assert service.wait_ready(60), service.state.message
print(type(read_events(service.submit(make_request()), 60)[-1]).__name__)
service.close()
heavy = (
    "transformers", "torchvision", "qwen_vl_utils", "huggingface_hub", "torch._dynamo", "llguidance"
)
print([module for module in heavy if module in sys.modules])
"""


def test_engine_answers_without_transformers_and_torchvision() -> None:
    result = subprocess.run(
        [sys.executable, "-c", ANSWER_BY_ENGINE], capture_output=True, text=True, check=True
    )

    assert result.stdout.splitlines() == ["Finished", "[]"]
