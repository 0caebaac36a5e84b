"""PDFs over HTTP: upload one, look at its pages, take some as pictures, run through them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from ninja import File, Router, Schema, Status, UploadedFile
from ninja.responses import codes_4xx
from pydantic import ConfigDict, Field

from chat import access
from chat.api.auth import caller, person
from chat.api.errors import ErrorOut
from chat.api.images import THUMBNAIL_TYPE, ImageOut, image_body, private_file
from chat.api.texts import Text
from chat.generation import local
from chat.rate_limits import UPLOADS, rate_limits, spend_turn
from chat.services import document_runs, documents, turns

if TYPE_CHECKING:
    from typing import Any

    from chat.models import Document, DocumentRun

router = Router(tags=["documents"])
runs = Router(tags=["documents"])

MAX_PAGE_NUMBER = 2**31 - 1
PageNumber = Annotated[int, Field(ge=1, le=MAX_PAGE_NUMBER)]


class PageOut(Schema):
    """A page, with the size in pixels that its picture will have."""

    number: int
    width: int
    height: int


class DocumentOut(Schema):
    """A kept PDF."""

    id: uuid.UUID
    name: str
    bytes: int
    is_used: bool  # a run is about it: without it no page could be asked about again
    pages: list[PageOut]


class PagesIn(Schema):
    """Which pages to take, counted from 1, in this order."""

    model_config = ConfigDict(extra="forbid")

    pages: list[PageNumber] = Field(min_length=1, max_length=10_000)


class PageImageOut(ImageOut):
    """A page as a stored picture."""

    number: int


class PageImagesOut(Schema):
    """The pages that were taken."""

    images: list[PageImageOut]


class RunIn(PagesIn):
    """What to ask of each page; without a text, to write it as Markdown."""

    text: Text = ""


class RunPageOut(Schema):
    """How far one page is: waiting, running, done, stopped or failed."""

    number: int
    state: str
    message: uuid.UUID | None
    reply: uuid.UUID | None


class RunOut(Schema):
    """A run through pages: running, stopped or done."""

    id: uuid.UUID
    conversation: uuid.UUID
    document: uuid.UUID | None
    name: str
    state: str
    pages: list[RunPageOut]


@router.post("/", response={201: DocumentOut, codes_4xx: ErrorOut})
def upload(request: HttpRequest, file: File[UploadedFile]) -> Status[dict[str, Any]]:
    """Keep a PDF; the same file again gives the same document."""
    rate_limits().spend(UPLOADS, caller(request))
    document = documents.store_upload(person(request), file, name=file.name or "")
    return Status(201, _document(document))


@router.get("/{document_id}/", response={200: DocumentOut, codes_4xx: ErrorOut})
def show(request: HttpRequest, document_id: uuid.UUID) -> dict[str, Any]:
    """Tell of a PDF; the file itself is never given out."""
    return _document(access.document_for(person(request), document_id))


@router.delete("/{document_id}/", response={204: None, codes_4xx: ErrorOut})
def delete(request: HttpRequest, document_id: uuid.UUID) -> Status[None]:
    """Remove the PDF; pictures that were made of its pages stay."""
    access.document_for(person(request), document_id).delete()
    return Status(204, None)


@router.get("/{document_id}/pages/{number}/", response={200: None, codes_4xx: ErrorOut})
def page_thumbnail(request: HttpRequest, document_id: uuid.UUID, number: int) -> HttpResponse:
    """Give one page as a small WebP."""
    document = access.document_for(person(request), document_id)
    name = f"{document.pk}-{number}.webp"
    return private_file(documents.page_thumbnail(document, number), THUMBNAIL_TYPE, name)


@router.post("/{document_id}/pages/", response={201: PageImagesOut, codes_4xx: ErrorOut})
def take_pages(
    request: HttpRequest, document_id: uuid.UUID, chosen: PagesIn
) -> Status[dict[str, Any]]:
    """Make pictures of pages, at most as many as one question may have."""
    document = access.document_for(person(request), document_id)
    turns.check_image_count(len(chosen.pages))
    images = documents.page_images(person(request), document, chosen.pages)
    pairs = zip(chosen.pages, images, strict=True)
    return Status(
        201, {"images": [{"number": number, **image_body(image)} for number, image in pairs]}
    )


@router.post("/{document_id}/runs/", response={202: RunOut, codes_4xx: ErrorOut})
def start_run(
    request: HttpRequest, document_id: uuid.UUID, wanted: RunIn
) -> Status[dict[str, Any]]:
    """Begin a conversation that asks about each page in turn."""
    spend_turn(caller(request))
    document = access.document_for(person(request), document_id)
    run = document_runs.start(person(request), document, wanted.pages, text=wanted.text)
    return Status(202, _run(run))


@runs.get("/{run_id}/", response={200: RunOut, codes_4xx: ErrorOut})
def show_run(request: HttpRequest, run_id: uuid.UUID) -> dict[str, Any]:
    """Tell how far a run is."""
    return _run(access.run_for(person(request), run_id))


@runs.post("/{run_id}/stop/", response={202: RunOut, codes_4xx: ErrorOut})
def stop_run(request: HttpRequest, run_id: uuid.UUID) -> Status[dict[str, Any]]:
    """End a run and the answer that is being written."""
    run = access.run_for(person(request), run_id)
    for reply_id in document_runs.stop(run):
        local.stop(person(request), reply_id, seen_offset=None)
    run.refresh_from_db()
    return Status(202, _run(run))


@runs.post("/{run_id}/continue/", response={202: RunOut, codes_4xx: ErrorOut})
def go_on(request: HttpRequest, run_id: uuid.UUID) -> Status[dict[str, Any]]:
    """Go on with a run, and try again what failed in it."""
    spend_turn(caller(request))
    run = access.run_for(person(request), run_id)
    document_runs.go_on(run)
    run.refresh_from_db()
    return Status(202, _run(run))


@runs.get("/{run_id}/export/", url_name="run-export", response={200: None, codes_4xx: ErrorOut})
def export_run(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """Give the text of all pages as one Markdown file."""
    run = access.run_for(person(request), run_id)
    response = HttpResponse(
        document_runs.as_markdown(run), content_type="text/markdown; charset=utf-8"
    )
    name = run.name.removesuffix(".pdf").removesuffix(".PDF")
    response["Content-Disposition"] = (
        content_disposition_header(as_attachment=True, filename=f"{name}.md") or "attachment"
    )
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _document(document: Document) -> dict[str, Any]:
    sizes = enumerate(document.page_sizes_px, start=1)
    return {
        "id": document.pk,
        "name": document.name,
        "bytes": document.size_bytes,
        "is_used": document.runs.exists(),
        "pages": [
            {"number": number, "width": width, "height": height}
            for number, (width, height) in sizes
        ],
    }


def _run(run: DocumentRun) -> dict[str, Any]:
    return {
        "id": run.pk,
        "conversation": run.conversation_id,
        "document": run.document_id,
        "name": run.name,
        "state": run.state,
        "pages": [
            {
                "number": page.number,
                "state": page.state,
                "message": page.message,
                "reply": page.reply,
            }
            for page in document_runs.pages(run)
        ],
    }
