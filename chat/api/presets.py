"""A person's presets over HTTP: list, save, change, delete."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.responses import codes_4xx
from pydantic import AfterValidator, ConfigDict, Field, StrictBool

from chat import access
from chat.api.auth import person
from chat.api.errors import ErrorOut
from chat.api.frames import OptionsIn, read_chosen
from chat.api.texts import Text
from chat.models import Preset
from chat.models.preset import PRESET_NAME_MAX_CHARS
from chat.services import presets

router = Router(tags=["presets"])


def _in_one_line(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise ValueError("it is empty")
    return name


Name = Annotated[Text, Field(max_length=PRESET_NAME_MAX_CHARS), AfterValidator(_in_one_line)]


class PresetOut(Schema):
    """Options under a name."""

    id: uuid.UUID
    name: str
    options: dict[str, Any]
    is_default: bool


class PresetList(Schema):
    """A person's presets, by name."""

    items: list[PresetOut]


class NewPreset(Schema):
    """What to keep; a preset that has this name is replaced."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    options: OptionsIn


class PresetChange(Schema):
    """What to change; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    options: OptionsIn | None = None
    is_default: StrictBool | None = None


@router.get("/", response={200: PresetList, codes_4xx: ErrorOut})
def list_presets(request: HttpRequest) -> dict[str, Any]:
    """List one's presets by name."""
    return {"items": list(Preset.objects.visible_to(person(request)))}


@router.post("/", response={201: PresetOut, codes_4xx: ErrorOut})
def save(request: HttpRequest, wanted: NewPreset) -> Status[Preset]:
    """Keep options under a name, in the place of those that had it."""
    options = read_chosen(wanted.options)
    return Status(201, presets.save(person(request), name=wanted.name, options=options))


@router.patch("/{preset_id}/", response={200: PresetOut, codes_4xx: ErrorOut})
def change(request: HttpRequest, preset_id: uuid.UUID, wanted: PresetChange) -> Preset:
    """Rename a preset, give it other options, or let new conversations begin with it."""
    user = person(request)
    preset = access.preset_for(user, preset_id)
    with transaction.atomic():  # what can be refused changes nothing else
        if wanted.name is not None:
            presets.rename(user, preset, wanted.name)
        if wanted.options is not None:
            presets.set_options(preset, read_chosen(wanted.options))
        if wanted.is_default is not None:
            presets.set_default(user, preset, is_default=wanted.is_default)
    return preset


@router.delete("/{preset_id}/", response={204: None, codes_4xx: ErrorOut})
def delete(request: HttpRequest, preset_id: uuid.UUID) -> Status[None]:
    """Delete a preset; conversations that took its options keep them."""
    presets.delete(access.preset_for(person(request), preset_id))
    return Status(204, None)
