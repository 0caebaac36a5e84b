"""The dimensions of a Qwen3-VL checkpoint, read from its config.json; no torch.

Source: transformers.models.qwen3_vl.configuration_qwen3_vl, release 5.24.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL_TYPE = "qwen3_vl"
VISION_ROPE_THETA = 10_000.0
"""Of all towers so far; older configurations do not name it."""


class UnsupportedModelError(Exception):
    """The engine cannot run this checkpoint; the text says which property it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextShape:
    """Widths of the language model; `mrope_section` counts rotary pairs of time, row, column."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    rms_eps: float
    rope_theta: float
    mrope_section: tuple[int, int, int]
    is_tied: bool
    max_positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionShape:
    """Widths of the vision tower; `positions` is the length of its learnt position table."""

    depth: int
    hidden: int
    heads: int
    intermediate: int
    patch_px: int
    merge: int
    temporal_patch: int
    channels: int
    positions: int
    deepstack: tuple[int, ...]
    out_hidden: int

    @property
    def head_dim(self) -> int:
        """Return the width of one attention head."""
        return self.hidden // self.heads

    @property
    def patch_inputs(self) -> int:
        """Return how many numbers one patch has, all frames and channels."""
        return self.channels * self.temporal_patch * self.patch_px**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Both networks and the special tokens that mark pictures."""

    text: TextShape
    vision: VisionShape
    image_token_id: int
    video_token_id: int
    vision_start_token_id: int
    vision_end_token_id: int


def read_shape(folder: Path) -> ModelShape:
    """Return the dimensions of the checkpoint in `folder`.

    Raises:
        UnsupportedModelError: not a Qwen3-VL checkpoint, or with a property that the engine does
            not have.
        OSError, ValueError: config.json is missing or broken.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != MODEL_TYPE:
        raise UnsupportedModelError(
            f"model_type is {config.get('model_type')!r}, not {MODEL_TYPE!r}"
        )
    if "quantization_config" in config:
        raise UnsupportedModelError("its weights are quantised already (quantization_config)")
    return ModelShape(
        text=_read_text(config["text_config"], config),
        vision=_read_vision(config["vision_config"]),
        image_token_id=config["image_token_id"],
        video_token_id=config["video_token_id"],
        vision_start_token_id=config["vision_start_token_id"],
        vision_end_token_id=config["vision_end_token_id"],
    )


def _read_text(text: Mapping[str, Any], config: Mapping[str, Any]) -> TextShape:
    if text.get("hidden_act", "silu") != "silu":
        raise UnsupportedModelError(f"hidden_act is {text['hidden_act']!r}, not 'silu'")
    if text.get("attention_bias", False):
        raise UnsupportedModelError("attention_bias is set")
    # Newer configurations say rope_parameters, those of the first release rope_scaling.
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default":
        raise UnsupportedModelError(f"rope_type is {rope['rope_type']!r}, not 'default'")
    sections = tuple(rope.get("mrope_section", (24, 20, 20)))
    heads = text["num_attention_heads"]
    return TextShape(
        layers=text["num_hidden_layers"],
        hidden=text["hidden_size"],
        heads=heads,
        kv_heads=text["num_key_value_heads"],
        head_dim=text.get("head_dim") or text["hidden_size"] // heads,
        intermediate=text["intermediate_size"],
        vocabulary=text["vocab_size"],
        rms_eps=text.get("rms_norm_eps", 1e-6),
        rope_theta=float(rope.get("rope_theta") or text.get("rope_theta", 5_000_000)),
        mrope_section=(sections[0], sections[1], sections[2]),
        is_tied=bool(config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))),
        max_positions=text.get("max_position_embeddings", 32_768),
    )


def _read_vision(vision: Mapping[str, Any]) -> VisionShape:
    if vision.get("hidden_act", "gelu_pytorch_tanh") != "gelu_pytorch_tanh":
        raise UnsupportedModelError(f"the tower's hidden_act is {vision['hidden_act']!r}")
    theta = (vision.get("rope_parameters") or {}).get("rope_theta", VISION_ROPE_THETA)
    if theta != VISION_ROPE_THETA:
        raise UnsupportedModelError(f"the tower's rope_theta is {theta}, not {VISION_ROPE_THETA}")
    return VisionShape(
        depth=vision["depth"],
        hidden=vision["hidden_size"],
        heads=vision["num_heads"],
        intermediate=vision["intermediate_size"],
        patch_px=vision["patch_size"],
        merge=vision["spatial_merge_size"],
        temporal_patch=vision["temporal_patch_size"],
        channels=vision.get("in_channels", 3),
        positions=vision["num_position_embeddings"],
        deepstack=tuple(vision["deepstack_visual_indexes"]),
        out_hidden=vision["out_hidden_size"],
    )
