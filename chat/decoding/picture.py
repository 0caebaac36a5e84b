"""Uploaded bytes to a clean picture: one pure function, for a process that can do nothing else.

Knows no database, storage, user or setting. Only the decoders of FORMATS are reached, only the
first frame is read, and nothing of the file but its pixels goes on: they are turned upright,
brought to 8-bit sRGB and encoded again. This is CPU work of up to seconds: call it from a thread.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from io import BytesIO

import pillow_heif
from PIL import (
    AvifImagePlugin,
    Image,
    ImageChops,
    ImageCms,
    ImageOps,
    ImageStat,
    UnidentifiedImageError,
)

from chat.errors import ChatError, ErrorCode

log = logging.getLogger(__name__)

pillow_heif.register_heif_opener()
# A confined process may open no file, so nothing can be imported later.
Image.init()
# One picture, one core: several people upload at once.
pillow_heif.options.DECODE_THREADS = 1
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP")
# How their files begin: a broken picture is told from a file that never was one.
_MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM")
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# Qwen's processors refuse anything longer; refused here, nobody can upload what none can ask about.
MAX_ASPECT_RATIO = 200
JPEG_QUALITY = 92
# A lossless picture stays lossless up to here; larger ones are photographs and become JPEGs. When
# the upload itself is far above, the slow attempt is spared (2 s for 12 megapixels).
MAX_PNG_BYTES = 4 * 2**20
MAX_LOSSLESS_UPLOAD_BYTES = 2 * MAX_PNG_BYTES
PNG_COMPRESSION = 4  # of 9; 6 is twice as slow for 3 % less
MAX_JPEG_SIDE_PX = 65_500
THUMBNAIL_QUALITY = 80
# Measured: with so much memory for each pixel, a picture of any format and mode is read.
SAFE_BYTES_A_PIXEL = 20
MAX_PROFILE_BYTES = 4 * 2**20
# A progressive JPEG has about ten scans. Each goes over all pixels, even one of a few bytes.
MAX_JPEG_SCANS = 40
# Not data (`ff 00`), not a restart, not one of those that have no length.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_START_OF_SCAN, _END_OF_IMAGE = b"\xda", b"\xd9"
_SRGB = ImageCms.createProfile("sRGB")
# What is transparent lies on white, unless what is visible is itself white.
_WHITE_FROM = 230
_VISIBLE_FROM = 128
_LIGHT_GROUND, _DARK_GROUND = (255, 255, 255), (32, 32, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedPicture:
    """A picture as people and the model see it: RGB or grey, upright, without metadata."""

    width_px: int
    height_px: int
    content_type: str  # image/jpeg or image/png
    content: bytes
    thumbnail: bytes  # WebP


def decode(content: bytes, *, max_pixels: int, thumbnail_px: int) -> DecodedPicture:
    """Decode the first frame and encode it again.

    Memory: up to about 16 bytes a pixel, `SAFE_BYTES_A_PIXEL` with everything.

    Raises:
        ChatError: image_type_unsupported, image_too_large or image_unreadable.
        MemoryError: there is not enough of it.
    """
    try:
        # Never named on the way: each form is let go as soon as the next is made.
        picture, is_lossless = _clean(_read(content, max_pixels), content)
        return encode(picture, is_lossless=is_lossless, thumbnail_px=thumbnail_px)
    except (ChatError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(max_pixels) from error
    except Exception as error:
        # Each decoder has failures of its own kind: OSError, SyntaxError, struct.error, EOFError, …
        log.info("A picture of %d bytes is unreadable: %r", len(content), error)
        raise ChatError(ErrorCode.IMAGE_UNREADABLE) from error


def encode(picture: Image.Image, *, is_lossless: bool, thumbnail_px: int) -> DecodedPicture:
    """Encode an RGB or grey picture and its thumbnail; lossless where that is not too large."""
    content_type, encoded = _encoded(picture, is_lossless=is_lossless)
    return DecodedPicture(
        width_px=picture.width,
        height_px=picture.height,
        content_type=content_type,
        content=encoded,
        thumbnail=_thumbnail(picture, thumbnail_px),
    )


def _read(content: bytes, max_pixels: int) -> Image.Image:
    try:
        picture = Image.open(BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        is_broken = not content or _begins_like_a_picture(content)
        raise ChatError(
            ErrorCode.IMAGE_UNREADABLE if is_broken else ErrorCode.IMAGE_TYPE_UNSUPPORTED
        ) from error
    # Pillow's own check allows 178 million pixels and is not made for every frame.
    _check_pixels(picture, max_pixels)
    if picture.format in ("JPEG", "MPO") and _has_many_scans(content):
        raise ChatError(ErrorCode.IMAGE_UNREADABLE)
    picture.load()
    _check_pixels(picture, max_pixels)
    if max(picture.size) > MAX_ASPECT_RATIO * min(picture.size):
        raise ChatError(ErrorCode.IMAGE_UNREADABLE)
    return picture


def _clean(picture: Image.Image, content: bytes) -> tuple[Image.Image, bool]:
    is_lossless = _is_lossless(picture, content)
    picture = _upright(picture)
    return _as_srgb(picture), is_lossless


def _begins_like_a_picture(content: bytes) -> bool:
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    is_heif = content[4:8] == b"ftyp" and content[8:12] in _BRANDS
    return content.startswith(_MAGIC) or is_webp or is_heif


def _check_pixels(picture: Image.Image, max_pixels: int) -> None:
    if picture.width * picture.height > max_pixels:
        raise _too_large(max_pixels)


def _has_many_scans(content: bytes) -> bool:
    """Count the scans of a JPEG's first picture, as libjpeg will come upon them."""
    scans, at = 0, 2
    while scans <= MAX_JPEG_SCANS and (found := _JPEG_MARKER.search(content, at)):
        if found[1] == _END_OF_IMAGE:
            return False
        scans += found[1] == _START_OF_SCAN
        at = found.end() + max(2, int.from_bytes(content[found.end() : found.end() + 2]))
    return scans > MAX_JPEG_SCANS


def _too_large(max_pixels: int) -> ChatError:
    return ChatError(ErrorCode.IMAGE_TOO_LARGE, limit=f"{max_pixels / 1e6:g} MP")


def _is_lossless(picture: Image.Image, content: bytes) -> bool:
    if len(content) > MAX_LOSSLESS_UPLOAD_BYTES:
        return False
    if picture.format == "WEBP":
        return b"VP8L" in content[:4096]
    return picture.format in ("PNG", "GIF", "BMP")


def _upright(picture: Image.Image) -> Image.Image:
    try:
        ImageOps.exif_transpose(picture, in_place=True)
    except Exception:  # noqa: BLE001  broken EXIF, in many ways; the pixels are good
        log.info("The EXIF data of a picture are broken and were ignored")
    return picture


def _as_srgb(picture: Image.Image) -> Image.Image:
    """Bring any mode and profile to opaque sRGB, without the metadata that Pillow would save.

    What is grey stays grey, a third of the bytes.
    """
    profile = picture.info.get("icc_profile")
    alpha = None
    if picture.mode.startswith("I"):
        # 16 bits a pixel; `convert` alone would clip instead of scale.
        picture = picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    elif picture.has_transparency_data:
        if picture.mode != "RGBA":
            picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        picture = picture.convert("RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    elif picture.mode not in ("RGB", "L", "CMYK"):
        picture = picture.convert("RGB")
    picture = _without_profile(picture, profile)
    if alpha is not None:
        picture = _on_ground(picture, alpha)
    picture.info = {}
    return picture


def _without_profile(picture: Image.Image, profile: object) -> Image.Image:
    if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE_BYTES:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, source, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            log.info("The colour profile of a picture is broken or of another kind: ignored")
        else:
            if converted is not None:
                return converted
    return picture if picture.mode in ("RGB", "L") else picture.convert("RGB")


def _on_ground(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Lay the picture on one colour, so that people and the model see the same."""
    ground = _DARK_GROUND if _is_white(picture, alpha) else _LIGHT_GROUND
    picture.paste(ground, mask=ImageChops.invert(alpha))
    return picture


def _is_white(picture: Image.Image, alpha: Image.Image) -> bool:
    visible = alpha.point(lambda value: 255 * (value >= _VISIBLE_FROM))
    if visible.getbbox() is None:
        return False
    return ImageStat.Stat(picture.convert("L"), mask=visible).mean[0] >= _WHITE_FROM


def _encoded(picture: Image.Image, *, is_lossless: bool) -> tuple[str, bytes]:
    must_be_png = max(picture.size) > MAX_JPEG_SIDE_PX
    if is_lossless or must_be_png:
        png = BytesIO()
        picture.save(png, "PNG", compress_level=PNG_COMPRESSION)
        if must_be_png or png.tell() <= MAX_PNG_BYTES:
            return "image/png", png.getvalue()
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return "image/jpeg", jpeg.getvalue()


def _thumbnail(picture: Image.Image, side_px: int) -> bytes:
    small = picture.copy()
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    webp = BytesIO()
    small.save(webp, "WEBP", quality=THUMBNAIL_QUALITY)
    return webp.getvalue()
