"""The settings of the inference service, as one frozen value.

Whoever starts the service fills it in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inference.requests import PixelBudget

DEFAULT_MODEL = "Qwen/Qwen3-VL-2B-Instruct"
DEFAULT_HUB_ENDPOINT = "https://huggingface.co"
DEFAULT_MODELSCOPE_ENDPOINT = "https://modelscope.cn"


class BackendName(StrEnum):
    """The kinds of model runtime; `auto` is the engine where it can run the model."""

    AUTO = "auto"
    ENGINE = "engine"
    TRANSFORMERS = "transformers"
    SCRIPTED = "scripted"


class Dtype(StrEnum):
    """The number format of the weights while they compute."""

    AUTO = "auto"
    BF16 = "bf16"
    FP32 = "fp32"


class Quantization(StrEnum):
    """The form of the engine's weights; int8 and int4 are in groups along the inputs (128, 32)."""

    INT8 = "int8"
    INT4 = "int4"
    BF16 = "bf16"
    FP32 = "fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConfig:
    """Everything the service may be told; safe as it stands.

    `model` is a hub name, a folder, or None: the default 2B model where it is at hand, the demo
    model until then. `threads` 0 means all physical cores. `max_tokens` caps each answer,
    `context_tokens` prompt and answer together. `slots` is how many answers run at once;
    `max_queue` how many more may wait. `cache_dir` is the hub cache (None: the hub library's own
    place), `modelscope_cache_dir` ModelScope's. `demo_dir` holds the demo model's weights (None:
    the bundled ones).

    For the engine: `quantization` is the form of its weights (`dtype` that of transformers),
    `kv_cache_bytes` and `picture_cache_bytes` bound its memory of conversations and of pictures,
    `kv_spill_bytes` what of the former may lie in `kv_spill_dir` (0 or None: nothing), and packed
    weights are kept in `packed_cache_dir` (None: packed at every start).
    """

    backend: BackendName = BackendName.AUTO
    model: str | None = None
    threads: int = 0
    dtype: Dtype = Dtype.AUTO
    max_tokens: int = 2048
    context_tokens: int = 20_480
    pixels: PixelBudget = PixelBudget.BALANCED
    max_queue: int = 32
    slots: int = 1
    hub_endpoint: str = DEFAULT_HUB_ENDPOINT
    hub_offline: bool = False
    modelscope_endpoint: str = DEFAULT_MODELSCOPE_ENDPOINT
    cache_dir: Path | None = None
    modelscope_cache_dir: Path | None = None
    demo_dir: Path | None = None
    quantization: Quantization = Quantization.INT8
    packed_cache_dir: Path | None = None
    kv_cache_bytes: int = 2 * 2**30
    picture_cache_bytes: int = 2**28
    kv_spill_bytes: int = 0
    kv_spill_dir: Path | None = None
