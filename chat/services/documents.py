"""Documents: a PDF is kept, and its pages are drawn when somebody looks at them or asks about them.

The file is read only by the confined process of `chat.decoding`, and given to nobody, not even to
its owner. Every function here is synchronous and does disk or CPU work: call it from a thread.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.decoding.decoder import decoder
from chat.errors import ChatError, ErrorCode
from chat.models import Document, DocumentRun
from chat.models.document import NAME_MAX_CHARS
from chat.services import images, quotas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.contrib.auth.models import User

    from chat.models import Image
    from chat.services.images import Upload


def store_upload(owner: User, content: Upload, *, name: str) -> Document:
    """Keep a PDF for this person; the same file again gives the row it made the first time.

    Looked into before any transaction; must not be called inside one. Whatever fails, no file and
    no row stay behind. 1 to 6 queries.

    Raises:
        ChatError: image_too_large (bytes), document_too_long (pages), document_locked,
            document_unreadable or quota_exceeded.
    """
    data = images.bytes_within_limit(content)
    sha256 = hashlib.sha256(data).hexdigest()
    return _find(owner, sha256) or _keep(owner, data, sha256, name)


def page_images(owner: User, document: Document, numbers: Sequence[int]) -> list[Image]:
    """Draw these pages as pictures of this person, in this order; each page only once ever.

    Raises:
        ChatError: document_not_found for a page that is not there or a file that is gone,
            document_unreadable for one that cannot be drawn, quota_exceeded.
    """
    check_pages(document, numbers)
    return [_page_image(owner, document, number) for number in numbers]


def page_thumbnail(document: Document, number: int) -> bytes:
    """Draw one page small, a WebP of at most `VL_THUMBNAIL_PX`; it is not kept.

    Raises:
        ChatError: document_not_found or document_unreadable, as `page_images`.
    """
    check_pages(document, [number])
    max_pixels = settings.VL_THUMBNAIL_PX**2
    drawn = decoder.page(_read(document), number, max_pixels=max_pixels, owner_id=document.owner_id)
    return drawn.thumbnail


def check_pages(document: Document, numbers: Sequence[int]) -> None:
    """Check that all of these pages are there.

    Raises:
        ChatError: document_not_found.
    """
    if not all(1 <= number <= document.page_count for number in numbers):
        raise ChatError(ErrorCode.DOCUMENT_NOT_FOUND)


def remove_old() -> None:
    """Remove the PDFs that were kept for `VL_DOCUMENT_DAYS`, unless a run goes on: 1 query."""
    since = timezone.now() - timedelta(days=settings.VL_DOCUMENT_DAYS)
    running = DocumentRun.objects.running().filter(document__isnull=False)
    old = Document.objects.filter(created_at__lt=since)
    for document in old.exclude(pk__in=running.values("document_id")):
        document.delete()


def _find(owner: User, sha256: str) -> Document | None:
    return Document.objects.visible_to(owner).filter(sha256=sha256).first()


def _keep(owner: User, data: bytes, sha256: str, name: str) -> Document:
    document = Document(
        owner=owner,
        sha256=sha256,
        name=_shown_name(name),
        size_bytes=len(data),
        page_sizes_px=decoder.page_sizes(data, owner_id=owner.pk),
    )
    try:
        document.file.save("", ContentFile(data), save=False)
        with transaction.atomic(durable=True):
            quotas.check_storage(owner, document.size_bytes, is_kept_now=True)
            document.save(force_insert=True)
    except IntegrityError:
        # The same file came twice at once, and the other upload was kept.
        document.file.delete(save=False)
        found = _find(owner, sha256)
        if found is None:
            raise
        return found
    except BaseException:
        if document.file:
            document.file.delete(save=False)
        raise
    return document


def _shown_name(name: str) -> str:
    """Give the client's file name as one short line of plain text."""
    line = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(line.split())[:NAME_MAX_CHARS] or _("document.pdf")


def _page_image(owner: User, document: Document, number: int) -> Image:
    # In place of the hash of uploaded bytes: drawn again, the page is the picture it was.
    key = f"page {number} of {document.sha256} at {settings.VL_PAGE_PIXELS} px"
    sha256 = hashlib.sha256(key.encode()).hexdigest()
    found = images.find(owner, sha256)
    if found is not None:
        return found
    picture = decoder.page(
        _read(document), number, max_pixels=settings.VL_PAGE_PIXELS, owner_id=owner.pk
    )
    return images.keep(owner, picture, sha256)


def _read(document: Document) -> bytes:
    try:
        with document.file.open("rb") as file:
            return bytes(file.read())
    except FileNotFoundError as error:
        raise ChatError(ErrorCode.DOCUMENT_NOT_FOUND) from error
