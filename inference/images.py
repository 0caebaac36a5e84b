"""Pictures: how many tokens one costs, and its pixels from the encoded file.

Pure arithmetic and Pillow; no torch. Sizes are (width, height) in pixels, after the EXIF rotation.
Source: `smart_resize` of the Qwen-VL image processors; the limits stand in a model's
preprocessor_config.json.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inference.errors import ErrorCode, InferenceError
from inference.requests import PixelBudget

if TYPE_CHECKING:
    from PIL import Image

# Only decoders for what cameras and browsers make; EPS, PSD, FLI, TIFF and their like are never
# reached.
# JPEG includes the several-pictures-in-one files of phones (MPO), of which the first is read.
ALLOWED_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")
MAX_SOURCE_PIXELS = 100_000_000
MAX_ASPECT_RATIO = 200
# Fewer than this qwen_vl_utils enlarges on its own.
MIN_IMAGE_TOKENS = 4


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """How a model cuts pictures into tokens, and between which sizes it was made to see them.

    The defaults are those of the Qwen3-VL family: a token is 16 x 2 = 32 pixels wide and high.
    """

    patch_px: int = 16
    merge: int = 2
    min_pixels: int = 65_536
    max_pixels: int = 16_777_216

    @property
    def token_px(self) -> int:
        """Return the width and height in pixels that one token covers."""
        return self.patch_px * self.merge

    def within(self, pixels: PixelBudget) -> ImageLimits:
        """Return these limits narrowed to what `pixels` allows."""
        token_area = self.token_px**2
        upper = max(
            min(self.max_pixels, pixels.max_image_tokens * token_area),
            MIN_IMAGE_TOKENS * token_area,
        )
        lower = min(max(self.min_pixels, MIN_IMAGE_TOKENS * token_area), upper)
        return replace(self, min_pixels=lower, max_pixels=upper)


QWEN3_VL_LIMITS = ImageLimits()


def smart_resize(width_px: int, height_px: int, limits: ImageLimits) -> tuple[int, int]:
    """Return the size in whole tokens, within the limits, that a picture is scaled to.

    Differs from its source in one point: a very long picture stays within `max_pixels` too.

    Raises:
        InferenceError: `image_unreadable` if the picture is more than 200 times as long as wide.
    """
    _check_shape(width_px, height_px)
    step = limits.token_px
    width = max(step, round(width_px / step) * step)
    height = max(step, round(height_px / step) * step)
    if width * height > limits.max_pixels:
        shrink = math.sqrt(width_px * height_px / limits.max_pixels)
        width = max(step, math.floor(width_px / shrink / step) * step)
        height = max(step, math.floor(height_px / shrink / step) * step)
        return _cut_to_area(width, height, step, limits.max_pixels)
    if width * height < limits.min_pixels:
        grow = math.sqrt(limits.min_pixels / (width_px * height_px))
        width = math.ceil(width_px * grow / step) * step
        height = math.ceil(height_px * grow / step) * step
    return width, height


def count_image_tokens(
    width_px: int,
    height_px: int,
    pixels: PixelBudget,
    limits: ImageLimits = QWEN3_VL_LIMITS,
) -> int:
    """Return how many tokens of the context a picture of this size will take."""
    width, height = smart_resize(width_px, height_px, limits.within(pixels))
    return (width // limits.token_px) * (height // limits.token_px)


def decode_image(data: bytes) -> Image.Image:
    """Return the picture's first frame, upright, in RGB, transparent parts on white.

    Raises:
        InferenceError: `image_unreadable` for anything that is not a whole picture of an allowed
            format, `image_too_large` above 100 million pixels.
    """
    from PIL import Image, ImageOps  # light processes count tokens without ever needing Pillow

    try:
        with Image.open(io.BytesIO(data), formats=ALLOWED_FORMATS) as opened:
            if opened.width * opened.height > MAX_SOURCE_PIXELS:
                raise _too_large()
            opened.load()
            upright = ImageOps.exif_transpose(opened)
            return _to_rgb(upright)
    except InferenceError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except Exception as error:
        # Decoders raise anything on hostile bytes: struct, index, value, OS errors.
        raise InferenceError(
            ErrorCode.IMAGE_UNREADABLE,
            "This picture cannot be read: it is damaged or of another format.",
        ) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    with_alpha = image.convert("RGBA")
    on_white = Image.new("RGB", with_alpha.size, (255, 255, 255))
    on_white.paste(with_alpha, mask=with_alpha.getchannel("A"))
    return on_white


def _check_shape(width_px: int, height_px: int) -> None:
    if min(width_px, height_px) < 1:
        raise InferenceError(ErrorCode.IMAGE_UNREADABLE, "This picture has no pixels.")
    if max(width_px, height_px) > MAX_ASPECT_RATIO * min(width_px, height_px):
        raise InferenceError(
            ErrorCode.IMAGE_UNREADABLE,
            f"This picture is more than {MAX_ASPECT_RATIO} times as long as it is wide.",
        )


def _cut_to_area(width: int, height: int, step: int, max_pixels: int) -> tuple[int, int]:
    if width * height <= max_pixels:
        return width, height
    if width >= height:
        return max(step, max_pixels // height // step * step), height
    return width, max(step, max_pixels // width // step * step)


def _too_large() -> InferenceError:
    return InferenceError(
        ErrorCode.IMAGE_TOO_LARGE,
        f"This picture has more than {MAX_SOURCE_PIXELS // 1_000_000} million pixels.",
    )
