"""Presets as people keep them: save, change, make the default, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from chat.errors import ChatError, ErrorCode
from chat.models import Preset
from chat.services.options import check_options

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from chat.models.preset import PresetQuerySet
    from chat.turn_options import TurnOptions


def save(user: User, *, name: str, options: TurnOptions) -> Preset:
    """Keep options under a name, in the place of those that had it: 4 queries.

    Raises:
        ChatError: system_prompt_too_long, too_many_presets.
    """
    check_options(options)
    with transaction.atomic():
        own = _own(user)
        preset = own.filter(name=name).first()
        if preset is None:
            if own.count() >= settings.VL_PRESETS_PER_PERSON:
                raise ChatError(ErrorCode.TOO_MANY_PRESETS, limit=settings.VL_PRESETS_PER_PERSON)
            preset = Preset(owner=user, name=name)
        preset.options = options.chosen()
        preset.save()
    return preset


def rename(user: User, preset: Preset, name: str) -> None:
    """Give the preset another name: 3 queries.

    Raises:
        ChatError: preset_name_taken.
    """
    with transaction.atomic():
        if _own(user).filter(name=name).exclude(pk=preset.pk).exists():
            raise ChatError(ErrorCode.PRESET_NAME_TAKEN)
        preset.name = name
        preset.save(update_fields=["name"])


def set_options(preset: Preset, options: TurnOptions) -> None:
    """Let the preset hold other options.

    Raises:
        ChatError: system_prompt_too_long.
    """
    check_options(options)
    preset.options = options.chosen()
    preset.save(update_fields=["options"])


def set_default(user: User, preset: Preset, *, is_default: bool) -> None:
    """Let new conversations begin with this preset instead of another, or no longer: 3 queries."""
    with transaction.atomic():
        if is_default:
            _own(user).filter(is_default=True).exclude(pk=preset.pk).update(is_default=False)
        preset.is_default = is_default
        preset.save(update_fields=["is_default"])


def delete(preset: Preset) -> None:
    """Delete the preset; conversations that took its options keep them."""
    preset.delete()


def _own(user: User) -> PresetQuerySet:
    """Lock the person's row, so that two tabs cannot pass a check at the same moment."""
    get_user_model().objects.select_for_update().get(pk=user.pk)
    return Preset.objects.visible_to(user)
