"""A person's account as a whole: its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


class LastAdministratorError(Exception):
    """Nobody would be left to administer the installation."""


def may_delete(user: User) -> bool:
    """Whether somebody else could administer the installation, or it is not this one's task."""
    return not user.is_superuser or _administrators().exclude(pk=user.pk).exists()


def delete(user: User) -> None:
    """Delete an account with everything that is this person's.

    Rows go in one transaction. After it a reply that is being written is stopped and its writer
    fenced, the logs of replies are forgotten, and files are deleted (`services.cascade`).

    Raises:
        LastAdministratorError: nothing was deleted.
    """
    with transaction.atomic():
        # Of the last two who leave at the same moment the second one waits here, and stays.
        list(_administrators().select_for_update().order_by("pk").values_list("pk"))
        if not may_delete(user):
            raise LastAdministratorError
        user.delete()


def _administrators() -> QuerySet[User]:
    return get_user_model().objects.filter(is_superuser=True, is_active=True)
