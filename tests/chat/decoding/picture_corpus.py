"""Pictures drawn by the tests: every format, mode and kind of damage; no foreign file."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from typing import Any

import pillow_heif
from PIL import Image, ImageCms, ImageDraw
from PIL.ExifTags import GPS, IFD, Base

pillow_heif.register_heif_opener()

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
SIZE = (60, 40)
SECRET = b"secret-place"  # must never come out again


def drawn(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw a red top left quarter on blue: tells orientation and colours."""
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0] // 2, size[1] // 2))
    return picture.convert(mode)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Write the picture in this format."""
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def photograph(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Make noise that no lossless format can make small."""
    grey = random.Random(0).randbytes(size[0] * size[1])
    return Image.frombytes("L", size, grey).convert("RGB")


def with_exif(orientation: int = 1) -> bytes:
    """Write an orientation, a camera and a place."""
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    exif[Base.Make] = SECRET.decode()
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSAreaInformation] = SECRET
    return exif.tobytes()  # given as bytes, pillow-heif also writes the HEIF rotation


def oriented(orientation: int, kind: str) -> bytes:
    """Store `drawn()` turned, with the EXIF orientation that turns it back."""
    turn_back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    picture = drawn()
    if orientation in turn_back:
        picture = picture.transpose(turn_back[orientation])
    return encoded(picture, kind, exif=with_exif(orientation))


def png_claiming(width: int, height: int) -> bytes:
    """Write a small PNG whose header claims this size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def srgb_profile() -> bytes:
    """Give the usual profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """Give a profile whose red is what we call blue, and the other way round."""
    profile = srgb_profile().replace(b"rXYZ", b"????")
    return profile.replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


def lab_profile() -> bytes:
    """Give a profile of a colour space that no RGB picture can have."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def animated(kind: str) -> bytes:
    """Write `drawn()` and then two frames of plain green."""
    green = Image.new("RGB", SIZE, GREEN)
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    return encoded(
        drawn(), kind, save_all=True, append_images=[green, green], duration=50, **options
    )


def transparent(colour: tuple[int, int, int]) -> Image.Image:
    """Draw a square of this colour on nothing."""
    picture = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((10, 10, 29, 29), fill=(*colour, 255))
    return picture


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
NO_PICTURES = {
    "svg": SVG,
    "svg-with-declaration": b'<?xml version="1.0"?>' + SVG,
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "pdf": b"%PDF-1.7\n1 0 obj <<>> endobj",
    "text": "just words, 文字".encode(),
    "zip": b"PK\x03\x04" + bytes(60),
    "tiff": encoded(drawn(), "TIFF"),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "psd": b"8BPS\x00\x01" + bytes(60),
    "icon": encoded(drawn(), "ICO"),
    "jpeg2000": encoded(drawn(), "JPEG2000"),
    "one-byte": b"x",
    "video": b"\x00\x00\x00\x18ftypisom" + bytes(60),
}
