"""PDFs through real confined processes: drawn, refused, and never obeyed."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as django_settings
from PIL import Image

from chat.decoding.decoder import Decoder
from chat.errors import ChatError, ErrorCode
from tests.chat.decoding import pdf_corpus as corpus
from tests.chat.decoding.picture_corpus import NO_PICTURES, drawn, encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

MEGAPIXEL = 1_000_000
REFUSALS = (ErrorCode.DOCUMENT_UNREADABLE, ErrorCode.DOCUMENT_LOCKED, ErrorCode.DOCUMENT_TOO_LONG)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def page(decoder: Decoder, content: bytes, number: int = 1) -> Image.Image:
    decoded = decoder.page(content, number, max_pixels=MEGAPIXEL)
    assert decoded.width_px * decoded.height_px < 1.01 * MEGAPIXEL
    return Image.open(BytesIO(decoded.content))


def refusal(decoder: Decoder, content: bytes, number: int = 1) -> ErrorCode:
    with pytest.raises(ChatError) as refused:
        decoder.page(content, number, max_pixels=MEGAPIXEL)
    return refused.value.code


@pytest.mark.parametrize(
    ("content", "pages"),
    [
        pytest.param(corpus.SOUND, 3, id="written by hand"),
        pytest.param(corpus.by_pdfium(2), 2, id="by pdfium"),
        pytest.param(corpus.by_pillow(), 1, id="a scan"),
        pytest.param(b"\r\nforeign\r\n" + corpus.pdf(), 1, id="foreign bytes first"),
    ],
)
def test_pages_are_counted_and_drawn(decoder: Decoder, content: bytes, pages: int) -> None:
    assert len(decoder.page_sizes(content)) == pages
    assert page(decoder, content, pages).format == "PNG"


@pytest.mark.parametrize(("number", "colour"), [(1, (255, 0, 0)), (2, (0, 255, 0))])
def test_a_page_is_drawn_upright_in_its_colours(
    decoder: Decoder, number: int, colour: tuple[int, int, int]
) -> None:
    picture = page(decoder, corpus.SOUND, number)

    width, height = picture.size
    assert picture.getpixel((width // 4, 3 * height // 4)) == colour
    assert picture.getpixel((3 * width // 4, 3 * height // 4)) == (255, 255, 255)


def test_text_is_drawn_without_any_font_file(decoder: Decoder) -> None:
    picture = page(decoder, corpus.pdf()).convert("L")

    written = picture.crop((0, 0, picture.width, picture.height // 4))
    assert written.getextrema() == (0, 255)


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        pytest.param((595, 842), (841, 1190), id="A4"),
        pytest.param((59_500, 84_200), (841, 1190), id="a hundred times as large"),
        pytest.param((72, 36), (300, 150), id="a stamp, at 300 dots an inch"),
    ],
)
def test_sizes_are_those_of_the_pictures(
    decoder: Decoder,
    settings: SettingsWrapper,
    size: tuple[int, int],
    pixels: tuple[int, int],
) -> None:
    settings.VL_PAGE_PIXELS = MEGAPIXEL
    content = corpus.pdf(size=size)

    assert decoder.page_sizes(content) == [pixels]
    assert page(decoder, content).size == pixels


def test_a_thumbnail_comes_along(decoder: Decoder) -> None:
    decoded = decoder.page(corpus.SOUND, 1, max_pixels=MEGAPIXEL)

    small = Image.open(BytesIO(decoded.thumbnail))
    assert small.format == "WEBP"
    assert max(small.size) == django_settings.VL_THUMBNAIL_PX


def test_a_page_can_be_turned_by_its_own_entry(decoder: Decoder) -> None:
    picture = page(decoder, corpus.pdf(page="/Rotate 90"))

    assert picture.width > picture.height


@pytest.mark.parametrize("number", [0, 4, 2**31 - 1])
def test_a_page_that_is_not_there_is_refused(decoder: Decoder, number: int) -> None:
    assert refusal(decoder, corpus.SOUND, number) == ErrorCode.DOCUMENT_UNREADABLE


@pytest.mark.parametrize(
    "content",
    [
        *(pytest.param(NO_PICTURES[name], id=name) for name in ("html", "zip", "one-byte")),
        pytest.param(b"", id="nothing"),
        pytest.param(encoded(drawn(), "PNG"), id="a picture"),
        pytest.param(b"%PDF-1.7\n" + bytes(5000), id="only its first line"),
    ],
)
def test_what_is_no_pdf_is_unreadable(decoder: Decoder, content: bytes) -> None:
    with pytest.raises(ChatError, match="document_unreadable"):
        decoder.page_sizes(content)


def test_a_document_with_a_password_says_so(decoder: Decoder) -> None:
    with pytest.raises(ChatError, match="document_locked"):
        decoder.page_sizes(corpus.locked())


@pytest.mark.parametrize("pages", [6, 5000])
def test_a_document_with_too_many_pages_is_refused(
    decoder: Decoder, settings: SettingsWrapper, pages: int
) -> None:
    settings.VL_DOCUMENT_PAGES = 5

    with pytest.raises(ChatError) as refused:
        decoder.page_sizes(corpus.pdf(pages))

    assert refused.value.code == ErrorCode.DOCUMENT_TOO_LONG
    assert refused.value.content == "A PDF may have at most 5 pages. Send a part of it."


@pytest.mark.parametrize("content", corpus.HOSTILE.values(), ids=corpus.HOSTILE)
def test_a_hostile_document_harms_nobody(decoder: Decoder, content: bytes) -> None:
    refused: list[ErrorCode] = []
    for look in (decoder.page_sizes, lambda data: page(decoder, data)):
        try:
            look(content)
        except ChatError as error:
            refused.append(error.code)

    assert set(refused) <= set(REFUSALS)
    assert page(decoder, corpus.SOUND).width > 0


def test_a_document_that_needs_too_much_memory_is_refused(
    decoder: Decoder, settings: SettingsWrapper
) -> None:
    settings.VL_DECODE_BYTES = 2**28

    with pytest.raises(ChatError, match="document_unreadable"):
        decoder.page(corpus.pdf(size=(59_500, 84_200)), 1, max_pixels=200 * MEGAPIXEL)


def test_a_document_that_takes_too_long_is_refused(
    decoder: Decoder, settings: SettingsWrapper
) -> None:
    settings.VL_DECODE_S = 1
    slow = corpus.pdf(drawing="0 0 595 842 re f " * 1_000_000)

    with pytest.raises(ChatError, match="document_unreadable"):
        decoder.page(slow, 1, max_pixels=40 * MEGAPIXEL)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param("/OpenAction << /S /JavaScript /JS (this.dirty = true) >>", id="script"),
        pytest.param("/OpenAction << /S /Launch /F (/bin/true) >>", id="program"),
        pytest.param("/OpenAction << /S /URI /URI (http://192.0.2.1/) >>", id="address"),
        pytest.param("/AA << /WC << /S /JavaScript /JS (1) >> >>", id="script at its end"),
    ],
)
def test_what_a_document_wants_done_is_not_done(decoder: Decoder, entries: str) -> None:
    """No build part that could do it is loaded; such a document looks as one without."""
    wanting = decoder.page(corpus.pdf(catalog=entries), 1, max_pixels=MEGAPIXEL)

    assert wanting == decoder.page(corpus.pdf(), 1, max_pixels=MEGAPIXEL)


def test_pdfium_has_neither_javascript_nor_xfa() -> None:
    from pypdfium2 import PDFIUM_INFO

    assert PDFIUM_INFO.flags == ()


def test_a_web_process_never_loads_pdfium() -> None:
    code = (
        "import os, sys, django;"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup();"
        "import vlsite.asgi, chat.api, chat.services.documents;"
        "print([name for name in sys.modules if name.startswith('pypdfium2')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert done.stdout.strip() == "[]"
