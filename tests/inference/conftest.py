"""The small real model, loaded once, and the check that no test leaves a thread behind."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.backends.base import LoadedModel, ModelFiles
from inference.backends.scripted import Gate, Script, ScriptedBackend
from inference.backends.transformers import TransformersBackend
from inference.config import BackendName, Dtype, InferenceConfig, Quantization
from inference.testing import write_tiny_checkpoint
from tests.inference.engine_models import make_engine_model
from tests.inference.qwen_folder import write_qwen_folder

if TYPE_CHECKING:
    from inference.backends.engine_loading import LoadedNetworks
    from inference.backends.engine_model import EngineModel

# These may hang in a name look-up that cannot be interrupted, and are daemons.
PARDONED_THREADS = ("inference-network-check",)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail a test that leaves a thread of the service running."""
    yield
    names = {t.name for t in threading.enumerate() if t.name.startswith("inference-")}
    assert names <= set(PARDONED_THREADS)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small random checkpoint of the true architecture."""
    return write_tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def qwen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a checkpoint whose processor files are of Qwen's own form."""
    return write_qwen_folder(tmp_path_factory.mktemp("models") / "qwen")


@pytest.fixture
def qwen_copy(qwen_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder, for tests that change its files."""
    return shutil.copytree(qwen_folder, tmp_path / "qwen")


@pytest.fixture(scope="session")
def tiny_config(tiny_folder: Path) -> InferenceConfig:
    """Return the config of a service that answers with the small model."""
    return InferenceConfig(
        backend=BackendName.TRANSFORMERS,
        model=str(tiny_folder),
        dtype=Dtype.FP32,
        quantization=Quantization.FP32,
        threads=1,
        context_tokens=2048,
        hub_offline=True,
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path, tiny_config: InferenceConfig) -> LoadedModel:
    """Return the small real model, loaded."""
    return TransformersBackend(tiny_config).load(ModelFiles("tiny", tiny_folder), lambda *_: None)


@pytest.fixture(scope="session")
def tiny_networks(
    tiny_model: LoadedModel, tiny_folder: Path, tiny_config: InferenceConfig
) -> LoadedNetworks:
    """Return the small real model's networks in the engine's form."""
    # Loads late: the real model has made torchvision importable.
    from inference.backends.engine_loading import load_networks

    return load_networks(tiny_folder, config=tiny_config, report=lambda *_: None)


@pytest.fixture
def engine_model(
    tiny_networks: LoadedNetworks, tiny_folder: Path, tiny_config: InferenceConfig
) -> Iterator[EngineModel]:
    """Return the small real model in an engine with empty caches."""
    model = make_engine_model(tiny_networks, tiny_folder, tiny_config)
    yield model
    model.close()


@pytest.fixture
def scripted_model() -> LoadedModel:
    """Return the scripted model with an open gate and a few steps in each stage."""
    script = Script(vision_steps=4, prefill_steps=4, gate=Gate())
    return ScriptedBackend(script).load(ModelFiles("scripted", None), lambda *_: None)


@pytest.fixture(params=["scripted", "transformers", "engine"])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    """Return each kind of model in turn: they must behave alike."""
    name = {
        "scripted": "scripted_model",
        "transformers": "tiny_model",
        "engine": "engine_model",
    }[request.param]
    loaded: LoadedModel = request.getfixturevalue(name)
    return loaded
