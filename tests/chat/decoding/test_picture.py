"""From uploaded bytes to a clean picture, whatever the bytes are."""

from __future__ import annotations

import time
from io import BytesIO

import pytest
from PIL import Image

from chat.decoding import picture as picture_module
from chat.decoding.picture import DecodedPicture, decode
from chat.errors import ChatError, ErrorCode
from tests.chat.decoding import picture_corpus as corpus
from tests.chat.decoding.picture_corpus import BLUE, GREEN, RED, SIZE, WHITE, drawn, encoded

KINDS = ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP"]


def decoded(content: bytes) -> DecodedPicture:
    return decode(content, max_pixels=1_000_000, thumbnail_px=320)


def pixels(picture: DecodedPicture) -> Image.Image:
    return Image.open(BytesIO(picture.content))


def assert_near(pixel: object, colour: tuple[int, int, int], tolerance: int = 40) -> None:
    assert isinstance(pixel, tuple)
    assert max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) <= tolerance, pixel


def assert_drawn(picture: DecodedPicture) -> None:
    """Check that the red quarter is at the top left of blue."""
    image = pixels(picture)
    assert image.mode == "RGB"
    assert (picture.width_px, picture.height_px) == image.size == SIZE
    assert_near(image.getpixel((8, 8)), RED)
    assert_near(image.getpixel((50, 8)), BLUE)
    assert_near(image.getpixel((8, 33)), BLUE)


def refusal(content: bytes) -> ErrorCode:
    with pytest.raises(ChatError) as refused:
        decoded(content)
    return refused.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_read(kind: str) -> None:
    assert_drawn(decoded(encoded(drawn(), kind)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright(orientation: int, kind: str) -> None:
    assert_drawn(decoded(corpus.oriented(orientation, kind)))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    picture = decoded(corpus.animated(kind))

    assert_drawn(picture)
    assert getattr(pixels(picture), "n_frames", 1) == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(encoded(drawn("CMYK"), "JPEG"), id="cmyk"),
        pytest.param(encoded(drawn("P"), "PNG"), id="palette"),
        pytest.param(encoded(drawn("P"), "GIF"), id="palette-gif"),
        pytest.param(encoded(drawn("RGBA"), "PNG"), id="alpha-but-opaque"),
        pytest.param(encoded(drawn("RGBA"), "WEBP", lossless=True), id="alpha-webp"),
        pytest.param(encoded(drawn(), "JPEG", progressive=True), id="progressive"),
        pytest.param(encoded(drawn(), "PNG", exif=b"Exif\x00\x00broken"), id="broken-exif"),
        pytest.param(encoded(drawn(), "JPEG", icc_profile=b"broken" * 40), id="broken-profile"),
        pytest.param(
            encoded(drawn(), "PNG", icc_profile=corpus.lab_profile()), id="profile-of-lab"
        ),
        pytest.param(encoded(drawn(), "PNG") + b"<script>alert(1)</script>", id="polyglot"),
        pytest.param(encoded(drawn(), "JPEG") + b"PK\x03\x04" + bytes(99), id="zip-behind"),
    ],
)
def test_every_kind_becomes_rgb(content: bytes) -> None:
    assert_drawn(decoded(content))


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_grey_pictures_keep_their_greys(mode: str) -> None:
    grey = Image.new("I;16", SIZE, 32_896) if mode == "I;16" else Image.new(mode, SIZE, WHITE[0])

    picture = pixels(decoded(encoded(grey, "PNG")))

    assert picture.mode == ("RGB" if mode == "LA" else "L")  # no more bytes than grey needs
    seen = picture.convert("RGB").getpixel((5, 5))
    assert_near(seen, (128,) * 3 if mode == "I;16" else WHITE, tolerance=1)


@pytest.mark.parametrize(
    ("colour", "ground"),
    [
        pytest.param((0, 0, 0), WHITE, id="black-on-white"),
        pytest.param(RED, WHITE, id="red-on-white"),
        pytest.param(WHITE, (32, 32, 32), id="white-on-dark"),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_what_is_transparent_gets_a_ground(
    kind: str, colour: tuple[int, int, int], ground: tuple[int, int, int]
) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}

    picture = pixels(decoded(encoded(corpus.transparent(colour), kind, **options)))

    assert picture.mode == "RGB"
    assert_near(picture.getpixel((20, 20)), colour, tolerance=2)
    assert_near(picture.getpixel((50, 35)), ground, tolerance=2)


def test_a_fully_transparent_picture_is_white() -> None:
    picture = pixels(decoded(encoded(Image.new("RGBA", SIZE, (9, 9, 9, 0)), "PNG")))

    assert_near(picture.getpixel((5, 5)), WHITE, tolerance=0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_colours_are_brought_to_srgb(kind: str) -> None:
    content = encoded(drawn(), kind, icc_profile=corpus.swapped_profile())

    picture = pixels(decoded(content))

    assert_near(picture.getpixel((8, 8)), BLUE)
    assert_near(picture.getpixel((50, 33)), RED)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_metadata_never_come_out(kind: str) -> None:
    content = encoded(
        drawn(),
        kind,
        exif=corpus.with_exif(),
        xmp=b"<x>" + corpus.SECRET,
        icc_profile=corpus.srgb_profile(),
    )
    assert corpus.SECRET in content

    picture = decoded(content)

    for out in (picture.content, picture.thumbnail):
        assert corpus.SECRET not in out
        image = Image.open(BytesIO(out))
        assert not image.getexif()
        assert not set(image.info) & {"icc_profile", "exif", "xmp", "comment", "photoshop", "dpi"}


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_comments_never_come_out(kind: str) -> None:
    content = encoded(drawn(), kind, comment=corpus.SECRET)

    picture = decoded(content)

    assert corpus.SECRET in content
    assert corpus.SECRET not in picture.content + picture.thumbnail


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(encoded(drawn(), "PNG"), "image/png", id="png"),
        pytest.param(encoded(drawn(), "GIF"), "image/png", id="gif"),
        pytest.param(encoded(drawn(), "BMP"), "image/png", id="bmp"),
        pytest.param(encoded(drawn(), "WEBP", lossless=True), "image/png", id="lossless-webp"),
        pytest.param(encoded(drawn(), "WEBP"), "image/jpeg", id="lossy-webp"),
        pytest.param(encoded(drawn(), "JPEG"), "image/jpeg", id="jpeg"),
        pytest.param(encoded(drawn(), "HEIF"), "image/jpeg", id="heic"),
        pytest.param(encoded(drawn(), "AVIF"), "image/jpeg", id="avif"),
    ],
)
def test_lossless_stays_lossless(content: bytes, kind: str) -> None:
    picture = decoded(content)

    assert picture.content_type == kind
    assert Image.open(BytesIO(picture.content)).get_format_mimetype() == kind


def test_a_picture_too_wide_for_a_jpeg_stays_png(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_module, "MAX_JPEG_SIDE_PX", 50)

    assert decoded(encoded(drawn(), "JPEG")).content_type == "image/png"


@pytest.mark.parametrize("limit", ["MAX_PNG_BYTES", "MAX_LOSSLESS_UPLOAD_BYTES"])
def test_a_large_lossless_photograph_becomes_a_jpeg(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    content = encoded(corpus.photograph(), "PNG")
    monkeypatch.setattr(picture_module, limit, 50_000)

    picture = decoded(content)

    assert picture.content_type == "image/jpeg"
    assert len(picture.content) < len(content)


@pytest.mark.parametrize(
    ("size", "small"),
    [
        pytest.param((1000, 500), (320, 160), id="wide"),
        pytest.param((500, 1000), (160, 320), id="tall"),
        pytest.param((50, 40), (50, 40), id="small-stays"),
        pytest.param((2000, 10), (320, 2), id="longest"),
        pytest.param((1, 1), (1, 1), id="dot"),
    ],
)
def test_thumbnails_fit_their_square(size: tuple[int, int], small: tuple[int, int]) -> None:
    thumbnail = Image.open(BytesIO(decoded(encoded(drawn(size=size), "PNG")).thumbnail))

    assert thumbnail.format == "WEBP"
    assert thumbnail.size == small


@pytest.mark.parametrize("content", corpus.NO_PICTURES.values(), ids=corpus.NO_PICTURES)
def test_what_is_no_picture_is_refused_as_such(content: bytes) -> None:
    assert refusal(content) == ErrorCode.IMAGE_TYPE_UNSUPPORTED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percent", range(5, 100, 15))
def test_truncated_pictures_are_unreadable(percent: int, kind: str) -> None:
    content = encoded(corpus.photograph(), kind)

    assert refusal(content[: len(content) * percent // 100]) == ErrorCode.IMAGE_UNREADABLE


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="no-bytes"),
        pytest.param(b"\xff\xd8\xff\xe0", id="jpeg-start-only"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="png-start-only"),
        pytest.param(b"GIF89a<script>alert(1)</script>", id="gif-and-script"),
        pytest.param(b"RIFF\x00\x00\x00\x00WEBPxxxx", id="webp-start-only"),
        pytest.param(b"\x00\x00\x00\x18ftypheic" + bytes(99), id="heic-start-only"),
        pytest.param(b"BM" + bytes(99), id="bmp-start-only"),
        pytest.param(corpus.png_claiming(0, 40), id="no-width"),
        pytest.param(encoded(drawn(size=(2010, 10)), "PNG"), id="too-long-for-any-model"),
    ],
)
def test_broken_pictures_are_unreadable(content: bytes) -> None:
    assert refusal(content) == ErrorCode.IMAGE_UNREADABLE


@pytest.mark.parametrize(
    ("width", "height"),
    [
        pytest.param(1001, 1000, id="just-over"),
        pytest.param(10_000, 10_000, id="where-pillow-warns"),
        pytest.param(60_000, 60_000, id="where-pillow-refuses"),
        pytest.param(2**31 - 1, 2**31 - 1, id="largest"),
    ],
)
def test_bombs_are_refused_before_they_are_unpacked(width: int, height: int) -> None:
    started = time.process_time()

    code = refusal(corpus.png_claiming(width, height))

    assert code == ErrorCode.IMAGE_TOO_LARGE
    assert time.process_time() - started < 0.5


def test_the_same_bytes_give_the_same_picture() -> None:
    content = encoded(drawn(), "PNG")

    assert decoded(content) == decoded(content)


def test_green_is_only_in_later_frames() -> None:
    """Guard the corpus: the animation test would prove nothing otherwise."""
    gif = Image.open(BytesIO(corpus.animated("GIF")))
    gif.seek(1)

    assert_near(gif.convert("RGB").getpixel((8, 8)), GREEN)
