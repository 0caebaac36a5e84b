"""Dimensions come from config.json, and what the engine does not have is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference.demo import WEIGHTS_DIR
from inference.engine.shape import UnsupportedModelError, read_shape


def write_config(folder: Path, part: str | None, **changes: Any) -> Path:
    """Write the demo model's configuration with changes, at its top or in one part."""
    config = json.loads((WEIGHTS_DIR / "config.json").read_text(encoding="utf-8"))
    (config[part] if part else config).update(changes)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_dimensions_of_the_demo_model_are_read() -> None:
    shape = read_shape(WEIGHTS_DIR)

    assert (shape.text.layers, shape.text.hidden, shape.text.head_dim) == (4, 192, 32)
    assert shape.text.mrope_section == (6, 5, 5)
    assert (shape.vision.depth, shape.vision.head_dim, shape.vision.patch_inputs) == (4, 32, 1536)
    assert shape.vision.deepstack == (1, 3)


def test_first_release_names_its_rope_otherwise(tmp_path: Path) -> None:
    old = {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True}
    changes = {"rope_parameters": None, "rope_scaling": old, "rope_theta": 5_000_000}

    text = read_shape(write_config(tmp_path, "text_config", **changes)).text

    assert (text.mrope_section, text.rope_theta) == ((24, 20, 20), 5_000_000)


@pytest.mark.parametrize(
    ("part", "changes", "reason"),
    [
        pytest.param(
            None, {"model_type": "qwen2_vl"}, "model_type is 'qwen2_vl'", id="other-model"
        ),
        pytest.param(
            None, {"quantization_config": {"quant_method": "awq"}}, "quantised already", id="awq"
        ),
        pytest.param(
            "text_config", {"hidden_act": "gelu"}, "hidden_act is 'gelu'", id="activation"
        ),
        pytest.param("text_config", {"attention_bias": True}, "attention_bias", id="bias"),
        pytest.param(
            "text_config", {"rope_parameters": {"rope_type": "yarn"}}, "'yarn'", id="long-rope"
        ),
        pytest.param("vision_config", {"hidden_act": "silu"}, "tower's hidden_act", id="tower"),
        pytest.param(
            "vision_config",
            {"rope_parameters": {"rope_theta": 500.0}},
            "tower's rope_theta is 500.0",
            id="tower-rope",
        ),
    ],
)
def test_what_the_engine_lacks_is_refused(
    tmp_path: Path, part: str | None, changes: dict[str, Any], reason: str
) -> None:
    folder = write_config(tmp_path, part, **changes)

    with pytest.raises(UnsupportedModelError, match=reason):
        read_shape(folder)
