"""What answers are asked for with: chosen by turn, by conversation, by a person's default."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django.conf import settings

from chat.errors import ChatError, ErrorCode
from chat.models import Preset
from chat.signals import conversation_changed, send_after_commit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chat.models import Conversation
    from chat.models.image import Owner
    from chat.turn_options import TurnOptions


def check_options(options: TurnOptions) -> None:
    """Check what the frame's reader cannot: limits that are settings.

    Raises:
        ChatError: system_prompt_too_long.
    """
    if len(options.system_prompt or "") > settings.VL_SYSTEM_PROMPT_CHARS:
        raise ChatError(ErrorCode.SYSTEM_PROMPT_TOO_LONG, limit=settings.VL_SYSTEM_PROMPT_CHARS)


def set_options(conversation: Conversation, options: TurnOptions) -> Conversation:
    """Give the conversation these options in the place of those before.

    Raises:
        ChatError: system_prompt_too_long.
    """
    check_options(options)
    conversation.options = options.chosen()
    conversation.save(update_fields=["options"])
    send_after_commit(conversation_changed, conversation=conversation)
    return conversation


def default_options(user: Owner) -> dict[str, Any]:
    """Give what this person's new conversations begin with: 1 query."""
    preset = Preset.objects.visible_to(user).filter(is_default=True).first()
    return dict(preset.options) if preset else {}


def reply_options(
    asked: TurnOptions, *, former: Mapping[str, Any], conversation: Mapping[str, Any]
) -> dict[str, Any]:
    """Give what a reply is asked for with, so that it is the same for every attempt.

    First what the turn asks for, then what was asked for the `former` reply to the same question
    but for its seed, then what the `conversation` has, then the settings.
    """
    chosen = _asked_before(former) | asked.chosen()
    kept: dict[str, Any] = {
        "seed": secrets.randbelow(2**31),
        "pixels": settings.VL_PIXELS,
        "max_tokens": settings.VL_MAX_TOKENS,
    }
    kept |= conversation
    kept |= chosen
    kept["max_tokens"] = min(kept["max_tokens"], settings.VL_MAX_TOKENS)
    return kept | {"asked": sorted(chosen)}


def _asked_before(former: Mapping[str, Any]) -> dict[str, Any]:
    # Replies of before conversations had options do not tell apart who chose what.
    names = set(former.get("asked", former)) - {"seed"}
    return {name: value for name, value in former.items() if name in names}
