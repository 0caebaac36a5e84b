"""Invitations: made by staff, used up by those who sign up with the link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from chat.models import Invitation
from chat.models.secret_text import digest, new_secret

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def issue(invitation: Invitation, *, by: User) -> str:
    """Keep a new invitation and give its token, which nobody can find out later: 1 query."""
    token = new_secret()
    invitation.digest = digest(token)
    invitation.created_by = by
    invitation.save()
    return token


def find(token: str) -> Invitation | None:
    """Give the invitation whose link holds this token, if it still lets somebody in: 1 query."""
    return Invitation.objects.usable().with_token(token).first()


def take_up(token: str, *, email: str) -> bool:
    """Count one more who signs up; returns whether there was room for them: 1 query.

    One UPDATE decides, so that of two at the same moment only as many come in as there is room
    for. An invitation to an address admits that address alone.
    """
    usable = Invitation.objects.usable().with_token(token)
    addressed_to = usable.filter(email="") | usable.filter(email__iexact=email)
    return bool(addressed_to.update(uses=F("uses") + 1))
