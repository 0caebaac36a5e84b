"""Pictures over HTTP: upload one, see one."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import File, Router, Schema, Status, UploadedFile
from ninja.responses import codes_4xx

from chat import access
from chat.api.auth import caller, person
from chat.api.errors import ErrorOut
from chat.generation.pricing import image_price
from chat.rate_limits import UPLOADS, rate_limits
from chat.services import images

if TYPE_CHECKING:
    from chat.models import Image

router = Router(tags=["images"])

THUMBNAIL_TYPE = "image/webp"
# A picture never changes, but it should not outlive a session on a shared machine for long.
CACHE_S = 3600


class TokensOut(Schema):
    """What the picture costs in tokens of the model, at each pixel budget."""

    fast: int
    balanced: int
    detail: int
    full: int


class SecondsOut(Schema):
    """How long reading the picture takes at each pixel budget, by the speed of the last answers."""

    fast: float
    balanced: float
    detail: float
    full: float


class PriceOut(Schema):
    """What a picture costs; `seconds` is null while none was read yet."""

    tokens: TokensOut
    seconds: SecondsOut | None


class ImageOut(PriceOut):
    """A stored picture: upright, re-encoded, without metadata."""

    id: uuid.UUID
    width: int
    height: int
    bytes: int
    type: str


@router.post("/", response={201: ImageOut, codes_4xx: ErrorOut})
def upload(request: HttpRequest, file: File[UploadedFile]) -> Status[dict[str, Any]]:
    """Store a picture; the same file again gives the same picture."""
    rate_limits().spend(UPLOADS, caller(request))
    return Status(201, image_body(images.store_upload(person(request), file)))


@router.get("/{image_id}/price/", response={200: PriceOut, codes_4xx: ErrorOut})
def price(request: HttpRequest, image_id: uuid.UUID) -> dict[str, Any]:
    """Say what a picture costs, in tokens and in time."""
    image = access.image_for(person(request), image_id)
    return image_price(image.width_px, image.height_px)


@router.get("/{image_id}/", url_name="image", response={200: None, codes_4xx: ErrorOut})
def show(
    request: HttpRequest, image_id: uuid.UUID, size: Literal["thumb", "full"] = "full"
) -> HttpResponse:
    """Give the picture, or a WebP of at most 320 px, to its owner and to reviewers."""
    image = access.image_for(person(request), image_id)
    if size == "thumb":
        return private_file(images.read_thumbnail(image), THUMBNAIL_TYPE, f"{image.pk}.webp")
    name = f"{image.pk}.{image.extension}"
    return private_file(images.read_bytes(image), image.content_type, name)


def image_body(image: Image) -> dict[str, Any]:
    """Build an `ImageOut`."""
    return {
        "id": image.pk,
        "width": image.width_px,
        "height": image.height_px,
        "bytes": image.size_bytes,
        "type": image.content_type,
        **image_price(image.width_px, image.height_px),
    }


def private_file(content: bytes, content_type: str, name: str) -> HttpResponse:
    """Serve bytes that came from a stranger: as this type only, for this person only, inert.

    Whole, since the files are small: under ASGI a FileResponse would be read whole as well, with
    a warning for each.
    """
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'inline; filename="{name}"'
    response["Cache-Control"] = f"private, max-age={CACHE_S}"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
