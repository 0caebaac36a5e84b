"""What people chose for their accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chat.models import Preferences

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def language_of(user: User) -> str:
    """Give the language that this person chose, empty for none: 1 query."""
    chosen = Preferences.objects.filter(owner=user).values_list("language", flat=True)
    return chosen.first() or ""


def choose_language(user: User, code: str) -> None:
    """Keep the language for this person's next sign-ins, here and elsewhere: 2 to 4 queries."""
    Preferences.objects.update_or_create(owner=user, defaults={"language": code})
