"""One's account over HTTP: everything in it as one file."""

from __future__ import annotations

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Router
from ninja.responses import codes_4xx

from chat.account_archive import archive
from chat.api.auth import person
from chat.api.conversations import as_json
from chat.api.errors import ErrorOut

router = Router(tags=["account"])


@router.get("/export/", url_name="export_account", response={200: None, codes_4xx: ErrorOut})
def export_account(request: HttpRequest) -> StreamingHttpResponse:
    """Give all conversations, pictures, documents and settings of this person as a ZIP file."""
    response = StreamingHttpResponse(
        archive(person(request), as_json), content_type="application/zip"
    )
    name = f"vl-live-chat-{timezone.localdate():%Y-%m-%d}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
