"""What the form of a conversation's options offers, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from chat.generation.info import pixel_tokens, server_options
from chat.services.options import default_options
from chat.turn_options import Pixels

if TYPE_CHECKING:
    from chat.models import Conversation
    from chat.models.image import Owner


@dataclass(frozen=True, slots=True)
class NumberOption:
    """A field for a number; with a `step` there is a slider as well."""

    name: str
    label: str
    help: str
    low: str
    high: str = ""
    step: str = ""
    unset: str = ""  # what an empty field says


@dataclass(frozen=True, slots=True)
class DetailChoice:
    """One way to look at pictures, and the most tokens that a picture costs then."""

    name: str
    label: str
    tokens: str


def number_options() -> list[NumberOption]:
    """Give the fields for numbers, in the order of the form."""
    return [
        NumberOption(
            "temperature",
            _("Temperature"),
            _("0 always takes the likeliest word; more is more surprising."),
            *("0", "2", "0.05"),
        ),
        NumberOption(
            "top_p",
            _("Top-p"),
            _("Chooses among the likeliest words up to this share."),
            *("0", "1", "0.05"),
        ),
        NumberOption(
            "presence_penalty",
            _("Presence penalty"),
            _("Higher repeats less; lower suits tables and long lists."),
            *("-2", "2", "0.1"),
        ),
        NumberOption(
            "max_tokens", _("Longest answer"), _("In tokens, about four letters each."), "1"
        ),
        NumberOption(
            "seed",
            _("Seed"),
            _("The same seed and question give the same answer."),
            *("0", str(2**31 - 1)),
            unset=_("random"),
        ),
    ]


def detail_names() -> dict[str, str]:
    """Give the names of the ways to look at pictures."""
    return {
        Pixels.FAST: _("Fast"),
        Pixels.BALANCED: _("Balanced"),
        Pixels.DETAIL: _("Detailed"),
        Pixels.FULL: _("Full"),
    }


def detail_choices() -> list[DetailChoice]:
    """Give the ways to look at pictures, the cheapest first."""
    tokens = pixel_tokens()
    return [
        DetailChoice(name, label, number_format(tokens[name], force_grouping=True))
        for name, label in detail_names().items()
    ]


def options_data(user: Owner, conversation: Conversation | None) -> dict[str, Any]:
    """Give the scripts what is chosen here, or will be for a new conversation, and the defaults."""
    chosen = default_options(user) if conversation is None else conversation.options
    return {"chosen": chosen, "defaults": server_options()}
