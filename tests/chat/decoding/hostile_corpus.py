"""What people upload, by mistake and on purpose: every case is made from a seed, none is a file.

A case says what may come of it: a picture, or refusals by their codes. `make attack` sends all of
them to a server; the tests take them through the decoder.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image, PngImagePlugin

from chat.errors import ErrorCode
from tests.chat.decoding import forged_files as forged
from tests.chat.decoding import picture_corpus as corpus
from tests.chat.decoding.picture_corpus import SECRET, drawn, encoded

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP")
ORIENTED_KINDS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "MPO")
PICTURE = "picture"
UNREADABLE = str(ErrorCode.IMAGE_UNREADABLE)
TOO_LARGE = str(ErrorCode.IMAGE_TOO_LARGE)
NO_PICTURE = str(ErrorCode.IMAGE_TYPE_UNSUPPORTED)
ANY = frozenset({PICTURE, UNREADABLE, TOO_LARGE, NO_PICTURE})
UNPACKED_BYTES = 2**27
SCRIPT = b"<script>alert(document.domain)</script>"


@dataclass(frozen=True, slots=True)
class Case:
    """One upload; `is_drawn` says that what comes out must look like `picture_corpus.drawn()`."""

    name: str
    make: Callable[[], bytes]
    outcomes: frozenset[str] = frozenset({PICTURE})
    is_drawn: bool = False


def cases(seed: int, mutations: int) -> Iterator[Case]:
    """Give the whole corpus, with this many mutated files."""
    yield from orientations()
    yield from modes()
    yield from secrets()
    yield from truncations()
    yield from bombs()
    yield from polyglots()
    yield from no_pictures()
    yield from mutants(seed, mutations)


def orientations() -> Iterator[Case]:
    """Turn a picture all eight ways, in each format that can say so."""
    for kind in ORIENTED_KINDS:
        for orientation in range(1, 9):
            make = partial(corpus.oriented, orientation, kind)
            yield Case(f"oriented-{kind}-{orientation}", make, is_drawn=True)


def modes() -> Iterator[Case]:
    """Write the colours in every way that a format has."""
    drawings: dict[str, tuple[str, str, dict[str, Any]]] = {
        "cmyk": ("CMYK", "JPEG", {}),
        "progressive": ("RGB", "JPEG", {"progressive": True}),
        "palette": ("P", "PNG", {}),
        "alpha": ("RGBA", "PNG", {}),
        "alpha-webp": ("RGBA", "WEBP", {"lossless": True}),
        "alpha-avif": ("RGBA", "AVIF", {}),
        "alpha-heic": ("RGBA", "HEIF", {}),
        "multi-picture": ("RGB", "MPO", {"save_all": True, "append_images": [drawn("L")]}),
    }
    for name, (mode, kind, options) in drawings.items():
        make = partial(encoded, drawn(mode), kind, **options)
        yield Case(f"mode-{name}", make, is_drawn=True)
    yield Case("mode-16-bit", forged.deep_png, is_drawn=True)
    for mode in ("1", "L", "LA", "I;16"):
        grey = Image.new(mode, corpus.SIZE) if mode == "I;16" else drawn("L").convert(mode)
        yield Case(f"mode-{mode}", partial(encoded, grey, "PNG"))
    for kind in ("PNG", "GIF"):
        see_through = corpus.transparent(corpus.RED).convert("P")
        yield Case(f"mode-palette-{kind}", partial(encoded, see_through, kind, transparency=0))
    for kind in ("PNG", "GIF", "WEBP", "AVIF"):
        yield Case(f"animated-{kind}", partial(corpus.animated, kind), is_drawn=True)
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
        for name, profile in (("broken", b"no profile"), ("of-lab", corpus.lab_profile())):
            make = partial(encoded, drawn(), kind, icc_profile=profile)
            yield Case(f"profile-{name}-{kind}", make, is_drawn=True)


def secrets() -> Iterator[Case]:
    """Hide the secret wherever a format has room for it."""
    exif, xmp = corpus.with_exif(), b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
    profile = corpus.srgb_profile() + SECRET
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "MPO"):
        make = partial(encoded, drawn(), kind, exif=exif, xmp=xmp, icc_profile=profile)
        yield Case(f"secret-metadata-{kind}", make, is_drawn=True)
    for kind in ("JPEG", "GIF"):
        make = partial(encoded, drawn(), kind, comment=SECRET)
        yield Case(f"secret-comment-{kind}", make, is_drawn=True)
    for kind in KINDS:
        content = encoded(drawn(), kind) + SECRET
        yield Case(f"secret-behind-{kind}", partial(bytes, content), is_drawn=True)
    jpeg = encoded(drawn(), "JPEG")
    for marker in range(0xE1, 0xF0):
        make = partial(forged.with_segment, jpeg, marker, SECRET)
        yield Case(f"secret-segment-{marker:x}", make, is_drawn=True)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_text("Author", SECRET.decode(), zip=True)
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    text.add(b"prIv", SECRET)
    yield Case("secret-text-PNG", partial(encoded, drawn(), "PNG", pnginfo=text), is_drawn=True)
    later = Image.new("RGB", corpus.SIZE)
    later.info["comment"] = SECRET
    make = partial(encoded, drawn(), "GIF", save_all=True, append_images=[later], comment=SECRET)
    yield Case("secret-later-frame-GIF", make, is_drawn=True)


def truncations() -> Iterator[Case]:
    """Cut a file of each format off at every twentieth."""
    photograph = corpus.photograph()
    for kind in KINDS:
        content = encoded(photograph, kind)
        for percent in range(5, 100, 5):
            cut = content[: len(content) * percent // 100]
            yield Case(
                f"truncated-{kind}-{percent}",
                partial(bytes, cut),
                frozenset({UNREADABLE}),
            )


def bombs() -> Iterator[Case]:
    """Claim, or unpack to, far more than is there."""
    refused = frozenset({TOO_LARGE, UNREADABLE})
    too_large = frozenset({TOO_LARGE})
    claiming: dict[str, Callable[[int, int], bytes]] = {
        "PNG": corpus.png_claiming,
        "JPEG": forged.jpeg_claiming,
        "WEBP": forged.webp_claiming,
        "GIF": lambda width, height: forged.gif_of_many_frames(1, (width, height)),
        "BMP": forged.bmp_claiming,
    }
    for kind, claim in claiming.items():
        side = 16_000 if kind == "WEBP" else 65_000
        yield Case(f"bomb-claim-{kind}", partial(claim, side, side), too_large)
    for kind in ("AVIF", "HEIF"):
        make = partial(forged.heif_claiming, kind, 65_000, 65_000)
        yield Case(f"bomb-claim-{kind}", make, refused)
    yield Case("bomb-claim-largest", partial(corpus.png_claiming, 2**31 - 1, 2**31 - 1), too_large)
    small = encoded(drawn(), "PNG")
    heads = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"profile\0\0"}
    for chunk, head in heads.items():
        make = partial(_with_bomb, chunk, head)
        yield Case(f"bomb-{chunk.decode()}", make, frozenset({PICTURE, UNREADABLE}))
    yield Case(
        "bomb-many-chunks",
        lambda: forged.with_chunks(small, [forged.chunk(b"tEXt", b"a\0b")] * 200_000),
        frozenset({PICTURE, UNREADABLE}),
    )
    yield Case(
        "bomb-IDAT",
        lambda: forged.png((8, 8), bytes(UNPACKED_BYTES)),
        frozenset({PICTURE, UNREADABLE}),
    )
    yield Case("bomb-frames-GIF", partial(forged.gif_of_many_frames, 200_000))
    yield Case("bomb-frames-WEBP", partial(_many_frames, "WEBP"))
    yield Case("bomb-frames-PNG", partial(_many_frames, "PNG"))
    yield Case("bomb-scans", partial(forged.jpeg_of_many_scans, 7000, 2000), refused)
    yield Case("bomb-largest-jpeg", partial(_largest, "JPEG", "RGB", progressive=True))
    yield Case("bomb-largest-png", partial(_largest, "PNG", "RGBA"), ANY - {NO_PICTURE})
    yield Case("bomb-largest-gif", partial(_largest, "GIF", "P"), ANY - {NO_PICTURE})
    yield Case("bomb-largest-bits", partial(_largest, "BMP", "1"), ANY - {NO_PICTURE})
    deep = partial(forged.png, (7000, 7000), bytes((7000 * 8 + 1) * 7000), depth=16, colour=6)
    yield Case("bomb-largest-16-bit", deep, ANY - {NO_PICTURE})


def polyglots() -> Iterator[Case]:
    """Write files that are also something else."""
    jpeg, gif, png = (encoded(drawn(), kind) for kind in ("JPEG", "GIF", "PNG"))
    in_front = frozenset({NO_PICTURE})
    behind = {
        "jpeg-zip": jpeg + forged.archive(),
        "jpeg-html": jpeg + SCRIPT,
        "jpeg-pdf": jpeg + b"\n%PDF-1.7\n1 0 obj <</OpenAction 2 0 R>> endobj",
        "jpeg-php": forged.with_segment(jpeg, 0xFE, b"<?php system($_GET[0]); ?>"),
        "jpeg-script": forged.with_segment(jpeg, 0xFE, b"*/=alert(1);/*"),
        "jpeg-html-comment": forged.with_segment(jpeg, 0xFE, b"<html>" + SCRIPT),
        "png-html": forged.with_chunks(png, [forged.chunk(b"tEXt", b"a\0" + SCRIPT)]),
        "png-html-last": forged.with_chunks(png, [forged.chunk(b"ruSt", SCRIPT)], last=True),
        "gif-script": gif + b"*/=1;alert(1)//",
        "png-zip": png + forged.archive(),
    }
    for name, content in behind.items():
        yield Case(f"polyglot-{name}", partial(bytes, content), is_drawn=True)
    before = {
        "html-jpeg": SCRIPT + jpeg,
        "pdf-jpeg": b"%PDF-1.7\n" + jpeg,
        "zip-png": forged.archive() + png,
        "svg-png": corpus.SVG + png,
    }
    for name, content in before.items():
        yield Case(f"polyglot-{name}", partial(bytes, content), in_front)
    script = b"GIF89a=1;alert(1);/*" + gif[13:] + b"*/"
    yield Case("polyglot-gif-is-script", lambda: script, ANY)


def no_pictures() -> Iterator[Case]:
    """Send other files, and nothing."""
    for name, content in corpus.NO_PICTURES.items():
        yield Case(f"other-{name}", partial(bytes, content), frozenset({NO_PICTURE}))
    yield Case("other-svgz", partial(gzip.compress, corpus.SVG), frozenset({NO_PICTURE}))
    yield Case("zeros-none", bytes, frozenset({UNREADABLE}))
    yield Case("zeros-one", partial(bytes, 1), frozenset({NO_PICTURE}))
    yield Case("zeros-many", partial(bytes, 2**20), frozenset({NO_PICTURE}))
    for kind in KINDS:
        content = encoded(drawn(), kind)[:16] + bytes(4096)
        yield Case(f"zeros-{kind}", partial(bytes, content), frozenset({UNREADABLE}))


def mutants(seed: int, count: int) -> Iterator[Case]:
    """Change some bytes of a good file, or put a part of one format into another."""
    files = [encoded(corpus.photograph((64, 48)), kind) for kind in KINDS]
    files += [corpus.oriented(6, kind) for kind in ORIENTED_KINDS]
    for number in range(count):
        yield Case(f"mutant-{seed}-{number}", partial(_mutated, files, f"{seed}-{number}"), ANY)


def _mutated(files: list[bytes], seed: str) -> bytes:
    chance = random.Random(seed)
    content = bytearray(chance.choice(files))
    for _ in range(chance.randint(1, 12)):
        # The head decides what is believed of the rest.
        reach = len(content) if chance.random() < 0.5 else min(400, len(content))
        at = chance.randrange(reach)
        match chance.randrange(4):
            case 0:
                content[at] = chance.randrange(256)
            case 1:
                content[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            case 2:
                del content[at : at + chance.randint(1, 40)]
            case _:
                other = chance.choice(files)
                start = chance.randrange(len(other))
                content[at:at] = other[start : start + chance.randint(1, 200)]
        if not content:
            break
    return bytes(content)


def _with_bomb(chunk: bytes, head: bytes) -> bytes:
    body = forged.chunk(chunk, head + forged.zeros(UNPACKED_BYTES))
    return forged.with_chunks(encoded(drawn(), "PNG"), [body])


def _many_frames(kind: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), (number, 0, 0)) for number in range(250)] * 4
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=20)


def _largest(kind: str, mode: str, **options: Any) -> bytes:
    """Fill the largest picture that is allowed with one colour: a small file, many pixels."""
    return encoded(Image.new(mode, (7000, 7000)), kind, **options)
