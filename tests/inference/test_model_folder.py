"""A broken model folder is refused with the name of the file that is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.errors import ErrorCode, InferenceError
from inference.model_folder import check_model_folder, weigh_model_folder


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of a whole model folder."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def remove(*names: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return spoil


def write(name: str, content: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_text(content, encoding="utf-8")

    return spoil


def truncate_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def cut_weights_head(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def name_a_missing_shard(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    write("model.safetensors.index.json", json.dumps({"weight_map": shards}))(folder)


@pytest.mark.parametrize(
    ("spoil", "named", "remedy"),
    [
        (remove("config.json"), "config.json", "missing"),
        (write("config.json", "{"), "config.json", "JSON"),
        (write("config.json", "[]"), "config.json", "JSON"),
        (write("config.json", '{"model_type": "qwen3"}'), "config.json", "cannot see pictures"),
        (remove("model.safetensors"), "model.safetensors", "missing"),
        (truncate_weights, "model.safetensors", "incomplete"),
        (cut_weights_head, "model.safetensors", "damaged"),
        (write("model.safetensors", ""), "model.safetensors", "damaged"),
        (
            write("model.safetensors", "version https://git-lfs.github.com/spec/v1\n"),
            "model.safetensors",
            "git lfs pull",
        ),
        (name_a_missing_shard, "model-00002-of-00002.safetensors", "index"),
        (write("model.safetensors.index.json", "{}"), "model.safetensors.index.json", "no weight"),
        (remove("tokenizer.json"), "tokenizer.json", "missing"),
        (remove("preprocessor_config.json"), "preprocessor_config.json", "missing"),
        (remove("chat_template.jinja"), "chat_template.jinja", "conversation"),
    ],
    ids=[
        "no-config",
        "config-not-json",
        "config-not-object",
        "text-model",
        "no-weights",
        "truncated",
        "head-cut",
        "empty-weights",
        "lfs-pointer",
        "missing-shard",
        "empty-index",
        "no-tokenizer",
        "no-preprocessor",
        "no-template",
    ],
)
def test_broken_folder_is_refused_with_file_and_remedy(
    folder: Path, spoil: Callable[[Path], None], named: str, remedy: str
) -> None:
    spoil(folder)

    with pytest.raises(InferenceError) as caught:
        check_model_folder(folder)

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE
    assert f"model/{named}" in caught.value.message
    assert remedy in caught.value.message


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match="no such folder"):
        check_model_folder(tmp_path / "nowhere")


def test_message_does_not_show_the_path_on_the_server(tmp_path: Path) -> None:
    with pytest.raises(InferenceError) as caught:
        check_model_folder(tmp_path / "nowhere")

    assert str(tmp_path) not in caught.value.message


def test_whole_folder_passes(folder: Path) -> None:
    check_model_folder(folder)


def test_template_within_the_tokenizer_config_is_enough(folder: Path) -> None:
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    remove("chat_template.jinja")(folder)
    write("tokenizer_config.json", json.dumps({"chat_template": template}))(folder)

    check_model_folder(folder)


def test_weight_of_a_folder_is_that_of_its_weight_files(folder: Path) -> None:
    assert weigh_model_folder(folder) == (folder / "model.safetensors").stat().st_size
