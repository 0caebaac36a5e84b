"""Loading real checkpoints: progress, missing weights, several files, and the demo's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from inference import random_checkpoint
from inference.backends.base import ModelFiles
from inference.backends.transformers import TransformersBackend
from inference.config import BackendName, InferenceConfig
from inference.errors import ErrorCode, InferenceError
from inference.model_source import DEMO_NAME
from inference.random_checkpoint import TINY_SHAPE, write_random_checkpoint
from inference.requests import Finished, SamplingOptions
from inference.service import InferenceService, Phase
from inference.testing import make_request, read_events

DEADLINE_S = 60.0


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the small model's folder."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def load(folder: Path, config: InferenceConfig) -> list[tuple[int, int]]:
    reports: list[tuple[int, int]] = []
    files = ModelFiles("model", folder)
    TransformersBackend(config).load(files, lambda *numbers: reports.append(numbers)).close()
    return reports


def test_loading_reports_each_weight(folder: Path, tiny_config: InferenceConfig) -> None:
    reports = load(folder, tiny_config)

    assert reports[0][0] == 0
    assert reports[-1][0] == reports[-1][1] > 10


def test_missing_weight_is_named_and_not_made_up(
    folder: Path, tiny_config: InferenceConfig
) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.language_model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(InferenceError, match=r"layers\.1\.mlp\.up_proj") as caught:
        load(folder, tiny_config)

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE


def test_unknown_architecture_is_model_unavailable(
    folder: Path, tiny_config: InferenceConfig
) -> None:
    config = folder / "config.json"
    config.write_text('{"model_type": "no_such_model", "vision_config": {}}', encoding="utf-8")

    with pytest.raises(InferenceError) as caught:
        load(folder, tiny_config)

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE


def test_checkpoint_in_several_files_loads(
    tiny_folder: Path, tmp_path: Path, tiny_config: InferenceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_checkpoint, "SHARD_BYTES", 100_000)
    random_checkpoint.copy_tokenizer(tiny_folder, tmp_path / "model")
    write_random_checkpoint(tmp_path / "model", TINY_SHAPE)

    assert load(tmp_path / "model", tiny_config)
    assert len(list((tmp_path / "model").glob("model-*.safetensors"))) > 1


def test_service_loads_warms_up_and_answers(tiny_config: InferenceConfig) -> None:
    service = InferenceService(tiny_config)
    service.start()
    try:
        assert service.wait_ready(DEADLINE_S)
        events = read_events(service.submit(make_request(options=SamplingOptions(max_tokens=4))))
    finally:
        service.close()

    last = events[-1]
    assert isinstance(last, Finished)
    assert last.timings.total_ms >= last.timings.first_token_ms > 0
    assert last.timings.first_token_ms >= last.timings.prefill_ms > 0
    assert last.timings.vision_ms > 0


def test_broken_folder_fails_the_service_with_the_files_name(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    service = InferenceService(InferenceConfig(model=str(folder)))
    service.start()
    try:
        assert not service.wait_ready(DEADLINE_S)
        assert service.state.phase is Phase.FAILED
        assert "tokenizer.json" in service.state.message
    finally:
        service.close()


def test_bundled_demo_model_answers() -> None:
    service = InferenceService(
        InferenceConfig(backend=BackendName.TRANSFORMERS, threads=1, hub_offline=True)
    )
    service.start()
    try:
        assert service.wait_ready(DEADLINE_S)
        last = read_events(service.submit(make_request()))[-1]
    finally:
        service.close()

    assert isinstance(last, Finished)
    assert (last.model, last.demo) == (DEMO_NAME, True)
