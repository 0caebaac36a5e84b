"""A PDF to the pictures of its pages: functions for a process that can do nothing else.

Loads pdfium, so only the fork server may import this. The build is one without JavaScript and XFA;
no form environment is made, so nothing of a document runs, and no attachment or link is followed.
What its author drew is drawn, annotations and filled-in fields as they look. A font that is not
embedded is replaced by one of pdfium's own: a confined process can open no font file.
"""

from __future__ import annotations

import contextlib
import logging
import math
from typing import TYPE_CHECKING

import pypdfium2

from chat.decoding.picture import MAX_ASPECT_RATIO, encode
from chat.errors import ChatError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chat.decoding.exchange import PageSizes
    from chat.decoding.picture import DecodedPicture

log = logging.getLogger(__name__)

MAGIC = b"%PDF-"
MAGIC_WITHIN_BYTES = 1024  # as every reader allows: some files begin with a few foreign bytes
POINTS_PER_INCH = 72
MAX_DOTS_PER_INCH = 300
# Of a page that has none; it is refused when it is drawn.
A4_POINTS = (595.0, 842.0)
_NEEDS_PASSWORD = 4  # FPDF_ERR_PASSWORD
_OTHER_SECURITY = 5  # FPDF_ERR_SECURITY


@contextlib.contextmanager
def opened(content: bytes, *, max_pages: int) -> Iterator[pypdfium2.PdfDocument]:
    """Open a document for the functions below, and let pdfium's own errors be refusals.

    Raises:
        ChatError: document_unreadable, document_locked or document_too_long.
    """
    if MAGIC not in content[:MAGIC_WITHIN_BYTES]:
        raise ChatError(ErrorCode.DOCUMENT_UNREADABLE)
    try:
        with pypdfium2.PdfDocument(content) as document:
            _check_count(len(document), max_pages)
            yield document
    except pypdfium2.PdfiumError as error:
        log.info("A document of %d bytes is unreadable: %r", len(content), error)
        is_locked = error.err_code in (_NEEDS_PASSWORD, _OTHER_SECURITY)
        raise ChatError(
            ErrorCode.DOCUMENT_LOCKED if is_locked else ErrorCode.DOCUMENT_UNREADABLE
        ) from error


def page_sizes(document: pypdfium2.PdfDocument, *, max_pixels: int) -> PageSizes:
    """Give the width and height in pixels that each page will be drawn with."""
    return [_size_px(_points(document, index), max_pixels) for index in range(len(document))]


def render_page(
    document: pypdfium2.PdfDocument, number: int, *, max_pixels: int, thumbnail_px: int
) -> DecodedPicture:
    """Draw one page, counted from 1, on white.

    Raises:
        ChatError: document_unreadable, for a page that is not there, is broken, or is more than
            200 times as long as wide.
        pypdfium2.PdfiumError: the page is broken.
    """
    if not 1 <= number <= len(document):
        raise ChatError(ErrorCode.DOCUMENT_UNREADABLE)
    page = document[number - 1]
    width, height = page.get_size()
    if not 0 < max(width, height) <= MAX_ASPECT_RATIO * min(width, height):
        raise ChatError(ErrorCode.DOCUMENT_UNREADABLE)
    bitmap = page.render(
        scale=_scale((width, height), max_pixels), rev_byteorder=True, may_draw_forms=False
    )
    return encode(bitmap.to_pil().convert("RGB"), is_lossless=True, thumbnail_px=thumbnail_px)


def _check_count(count: int, max_pages: int) -> None:
    if count < 1:
        raise ChatError(ErrorCode.DOCUMENT_UNREADABLE)
    if count > max_pages:
        raise ChatError(ErrorCode.DOCUMENT_TOO_LONG, limit=max_pages)


def _points(document: pypdfium2.PdfDocument, index: int) -> tuple[float, float]:
    try:
        width, height = document.get_page_size(index)
    except pypdfium2.PdfiumError:
        return A4_POINTS
    is_sound = 0 < width < math.inf and 0 < height < math.inf
    return (width, height) if is_sound else A4_POINTS


def _scale(points: tuple[float, float], max_pixels: int) -> float:
    width, height = points
    return min(math.sqrt(max_pixels / (width * height)), MAX_DOTS_PER_INCH / POINTS_PER_INCH)


def _size_px(points: tuple[float, float], max_pixels: int) -> tuple[int, int]:
    scale = _scale(points, max_pixels)
    width, height = (math.ceil(side * scale) for side in points)
    return min(width, 2**31), min(height, 2**31)
