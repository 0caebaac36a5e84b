"""Who may sign up, and who becomes the administrator."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """allauth's adapter with this product's two rules."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Honour VL_SIGNUP; the very first account may always be made."""
        return settings.VL_SIGNUP == "open" or not get_user_model().objects.exists()

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """Save a new account; the first one of the installation becomes its administrator."""
        user = super().save_user(request, user, form, commit=commit)
        first = get_user_model().objects.order_by("pk").first()
        if commit and first == user:
            user.is_staff = user.is_superuser = True
            user.save(update_fields=["is_staff", "is_superuser"])
        return user
