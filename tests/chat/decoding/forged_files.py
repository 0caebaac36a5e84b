"""Picture files written byte by byte, to claim, hide and unpack what no encoder would write."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable

from PIL import Image

from tests.chat.decoding.picture_corpus import drawn, encoded

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
START_OF_SCAN = b"\xff\xda"
END_OF_JPEG = b"\xff\xd9"


def chunk(kind: bytes, body: bytes) -> bytes:
    """Write a chunk of a PNG, with its check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def zeros(size_bytes: int) -> bytes:
    """Compress this many zeros: a thousandth of it."""
    packer = zlib.compressobj()
    step = bytes(2**20)
    packed = [packer.compress(step) for _ in range(size_bytes // len(step))]
    return b"".join(packed) + packer.flush()


def png(size: tuple[int, int], pixels: bytes, *, depth: int = 8, colour: int = 2) -> bytes:
    """Write a PNG of unpacked rows: each begins with its filter byte."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    return b"".join(
        (
            PNG_MAGIC,
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(pixels)),
            chunk(b"IEND", b""),
        )
    )


def with_chunks(content: bytes, chunks: Iterable[bytes], *, last: bool = False) -> bytes:
    """Put more chunks into a PNG: behind its header, or before its end."""
    cut = len(content) - 12 if last else 33
    return content[:cut] + b"".join(chunks) + content[cut:]


def deep_png() -> bytes:
    """Draw `drawn()` with 16 bits for each of red, green and blue, which Pillow does not write."""
    picture = drawn()
    rows = []
    for y in range(picture.height):
        row = picture.crop((0, y, picture.width, y + 1)).tobytes()
        rows.append(b"\0" + bytes(byte for value in row for byte in (value, value)))
    return png(picture.size, b"".join(rows), depth=16)


def with_segment(content: bytes, marker: int, body: bytes) -> bytes:
    """Put a segment behind the start of a JPEG."""
    return content[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + content[2:]


def jpeg_claiming(width: int, height: int) -> bytes:
    """Write a small JPEG whose header claims this size."""
    content = encoded(drawn(), "JPEG")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def jpeg_of_many_scans(side_px: int, scans: int) -> bytes:
    """Repeat the last scan of a progressive JPEG: each is a few bytes and goes over all pixels."""
    content = encoded(Image.new("L", (side_px, side_px), 9), "JPEG", progressive=True)
    at = content.rindex(START_OF_SCAN)
    return content[:at] + content[at:-2] * scans + END_OF_JPEG


def gif_of_many_frames(frames: int, screen: tuple[int, int] = (8, 8)) -> bytes:
    """Write frames of one pixel."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b";"


def bmp_claiming(width: int, height: int) -> bytes:
    """Write a small BMP whose header claims this size."""
    content = encoded(drawn(), "BMP")
    return content[:18] + struct.pack("<ii", width, height) + content[26:]


def webp_claiming(width: int, height: int) -> bytes:
    """Write a WebP whose canvas claims this size."""
    packed = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + packed + encoded(drawn(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def heif_claiming(kind: str, width: int, height: int) -> bytes:
    """Write a HEIC or AVIF whose size property claims this size."""
    content = encoded(drawn(), kind)
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", width, height) + content[at + 8 :]


def archive() -> bytes:
    """Write a ZIP with a page in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("index.html", "<script>alert(1)</script>")
    return buffer.getvalue()


def unneeded_bytes(content: bytes) -> int:
    """Count what a served picture holds beyond the pixels and what is needed to read them.

    Raises:
        AssertionError: it is no JPEG, PNG or WebP.
    """
    if content.startswith(PNG_MAGIC):
        return _unneeded_of_png(content)
    if content.startswith(b"\xff\xd8"):
        return _unneeded_of_jpeg(content)
    assert content[:4] + content[8:12] == b"RIFFWEBP", content[:16]
    return _unneeded_of_webp(content)


def _unneeded_of_png(content: bytes) -> int:
    at, unneeded = len(PNG_MAGIC), 0
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        if kind not in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            unneeded += length
        at += length + 12
        if kind == b"IEND":
            break
    return unneeded + len(content) - at


def _unneeded_of_jpeg(content: bytes) -> int:
    at, unneeded = 2, 0
    while content[at + 1] != START_OF_SCAN[1]:
        marker, length = struct.unpack(">xBH", content[at : at + 4])
        is_jfif = marker == 0xE0 and length == 16
        if not is_jfif and (0xE0 <= marker <= 0xEF or marker == 0xFE):
            unneeded += length
        at += length + 2
    return unneeded + len(content) - content.rindex(END_OF_JPEG) - 2


def _unneeded_of_webp(content: bytes) -> int:
    at, unneeded = 12, 0
    while at < len(content):
        kind, length = struct.unpack("<4sI", content[at : at + 8])
        if kind not in (b"VP8 ", b"VP8L"):
            unneeded += length
        at += 8 + length + length % 2
    return unneeded
