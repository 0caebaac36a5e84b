"""How a checkpoint wants its pictures: sizes, patches and the scale of their numbers.

Source: transformers.models.qwen2_vl.image_processing_qwen2_vl and image_processing_base, 5.24.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.images import ImageLimits
from inference.model_folder import read_json
from inference.processor.errors import UnsupportedProcessorError

IMAGE_FILE: Final = "preprocessor_config.json"
PROCESSOR_FILE: Final = "processor_config.json"
PROCESSOR_CLASS: Final = "Qwen3VLProcessor"
KNOWN_CLASSES: Final = (
    "Qwen2VLImageProcessor",
    "Qwen2VLImageProcessorFast",
    "Qwen2VLImageProcessorPil",
)
BICUBIC: Final = 3
FIXED: Final[Mapping[str, object]] = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "processor_class": PROCESSOR_CLASS,
    "resample": BICUBIC,
}
"""What a file may say and must then say so."""
DEFAULT_RESCALE: Final = 1 / 255
CHANNELS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRecipe:
    """Sizes in patches and tokens, and how a byte of red, green or blue becomes a number.

    The number is (byte * `rescale_factor` - `mean`) / `std`; each patch is repeated for
    `temporal_patch` frames.
    """

    limits: ImageLimits
    temporal_patch: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rescale_factor: float = DEFAULT_RESCALE


def read_picture_recipe(folder: Path) -> PictureRecipe:
    """Read what the folder's files say about pictures.

    Raises:
        UnsupportedProcessorError: they say something that is not known here, or too little.
        InferenceError: `model_unavailable`, a file is missing or broken.
    """
    config = _read_image_config(folder)
    known = {
        *FIXED,
        "image_processor_type",
        "size",
        "min_pixels",
        "max_pixels",
        *_NUMBERS,
        *_TRIPLES,
    }
    for key, value in config.items():
        if key not in known and value is not None:
            raise UnsupportedProcessorError(f"{IMAGE_FILE} says {key}")
        if key in FIXED and value not in (None, FIXED[key]):
            raise UnsupportedProcessorError(f"{key} is {value!r}")
    if config.get("image_processor_type") not in KNOWN_CLASSES:
        raise UnsupportedProcessorError(f"its pictures want a {config.get('image_processor_type')}")
    return PictureRecipe(
        limits=ImageLimits(
            patch_px=_whole(config, "patch_size"),
            merge=_whole(config, "merge_size"),
            min_pixels=_edge(config, "min_pixels", "shortest_edge"),
            max_pixels=_edge(config, "max_pixels", "longest_edge"),
        ),
        temporal_patch=_whole(config, "temporal_patch_size"),
        mean=_triple(config, "image_mean"),
        std=_triple(config, "image_std"),
        rescale_factor=_factor(config),
    )


_NUMBERS: Final = ("patch_size", "merge_size", "temporal_patch_size", "rescale_factor")
_TRIPLES: Final = ("image_mean", "image_std")


def _read_image_config(folder: Path) -> Mapping[str, object]:
    """Return the words about pictures; those within processor_config.json win."""
    if not (folder / PROCESSOR_FILE).is_file():
        return read_json(folder, IMAGE_FILE)
    config = read_json(folder, PROCESSOR_FILE)
    for key, value in config.items():
        is_known = key in ("image_processor", "video_processor") or (
            key == "processor_class" and value == PROCESSOR_CLASS
        )
        if not is_known:
            raise UnsupportedProcessorError(f"{PROCESSOR_FILE} says {key}")
    nested = config.get("image_processor")
    return nested if isinstance(nested, Mapping) else read_json(folder, IMAGE_FILE)


def _edge(config: Mapping[str, object], name: str, edge: str) -> int:
    """Return a bound of the pixels, under its old name or its new one; the old one wins."""
    if config.get(name) is not None:
        return _whole(config, name)
    size = config.get("size")
    if not isinstance(size, Mapping) or not set(size) <= {"shortest_edge", "longest_edge"}:
        raise UnsupportedProcessorError(f"the size of pictures is {size!r}")
    return _whole(size, edge)


def _whole(config: Mapping[str, object], name: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or value < 1:
        raise UnsupportedProcessorError(f"{name} is {value!r}")
    return value


def _factor(config: Mapping[str, object]) -> float:
    value = config.get("rescale_factor")
    if value is None:
        return DEFAULT_RESCALE
    if not isinstance(value, float):
        raise UnsupportedProcessorError(f"rescale_factor is {value!r}")
    return value


def _triple(config: Mapping[str, object], name: str) -> tuple[float, ...]:
    value = config.get(name)
    if (
        not isinstance(value, list)
        or len(value) != CHANNELS
        or not all(isinstance(one, int | float) for one in value)
    ):
        raise UnsupportedProcessorError(f"{name} is {value!r}")
    return tuple(float(one) for one in value)
