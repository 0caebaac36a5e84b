"""The plan names every tensor of a checkpoint, as transformers writes it, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors import safe_open

from inference.config import Quantization
from inference.demo import WEIGHTS_DIR
from inference.engine.shape import read_shape
from inference.engine.weight_plan import Part, plan_weights


@pytest.fixture(params=["tied", "untied", "demo"])
def folder(request: pytest.FixtureRequest) -> Path:
    """Return folders that transformers wrote."""
    if request.param == "demo":
        return WEIGHTS_DIR
    found: Path = request.getfixturevalue(f"{request.param}_folder")
    return found


def stored_shapes(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        for name in file.keys():  # noqa: SIM118  # not a mapping
            yield name, tuple(file.get_slice(name).get_shape())


def plan(folder: Path, quantization: Quantization = Quantization.INT8) -> tuple[Part, ...]:
    return plan_weights(read_shape(folder), quantization)


@pytest.mark.reference
def test_every_tensor_of_the_reference_is_used_once(folder: Path) -> None:
    sources = [source for part in plan(folder) for source in part.sources]

    assert sorted((source.name, source.shape) for source in sources) == sorted(
        stored_shapes(folder)
    )


def test_every_part_has_a_name_of_its_own(folder: Path) -> None:
    names = [part.name for part in plan(folder)]

    assert len(set(names)) == len(names)


def test_joined_matrix_has_the_outputs_of_all_its_sources() -> None:
    parts = {part.name: part for part in plan(WEIGHTS_DIR)}
    text = read_shape(WEIGHTS_DIR).text

    assert parts["text_layers.0.qkv"].shape == (
        (text.heads + 2 * text.kv_heads) * text.head_dim,
        text.hidden,
    )


def test_convolution_of_the_patches_is_a_matrix() -> None:
    parts = {part.name: part for part in plan(WEIGHTS_DIR)}
    vision = read_shape(WEIGHTS_DIR).vision

    assert parts["vision.patch_embed"].shape == (vision.hidden, vision.patch_inputs)


def test_what_follows_an_activation_function_has_uneven_inputs(untied_folder: Path) -> None:
    names = {part.name.rsplit(".", 1)[1] for part in plan(untied_folder) if part.has_uneven_inputs}

    assert names == {"down", "fc2"}


@pytest.mark.parametrize("quantization", Quantization)
def test_only_the_tables_of_the_vocabulary_are_spared_int4(
    untied_folder: Path, quantization: Quantization
) -> None:
    forms = {part.name: part.quantization for part in plan(untied_folder, quantization)}

    tables = {forms.pop("embedding"), forms.pop("lm_head")}

    is_int4 = quantization is Quantization.INT4
    assert tables == {Quantization.INT8 if is_int4 else quantization}
    assert set(forms.values()) == {None, quantization}


def test_tables_of_the_vocabulary_are_packed_first(untied_folder: Path) -> None:
    assert [part.name for part in plan(untied_folder)[:2]] == ["embedding", "lm_head"]
