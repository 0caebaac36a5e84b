"""What a socket's first frame says, over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import codes_4xx

from chat.api.errors import ErrorOut
from chat.generation.info import info_frame

router = Router(tags=["info"])


class InfoOut(Schema):
    """The `info` frame: who answers, and what the limits are."""

    content: str
    model: str
    demo: bool
    limits: dict[str, int]
    protocol: int
    state: dict[str, Any]
    options: dict[str, Any]


@router.get("/", response={200: InfoOut, codes_4xx: ErrorOut})
def show(request: HttpRequest) -> dict[str, Any]:
    """Say who answers, and what the limits are."""
    return info_frame().as_dict()
