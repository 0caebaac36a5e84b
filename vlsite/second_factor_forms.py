"""Where a second factor's code is typed: each lets in once, for as long as it is good."""

from __future__ import annotations

from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms
from django.core.cache import cache


class SingleUse:
    """Refuses a code that was used, wherever that was.

    allauth forgets after one period, and with `MFA_TOTP_TOLERANCE` a code is good in the ones
    around its own as well: who looked over a shoulder could have used it half a minute later.
    """

    user: Any

    def clean_code(self) -> str:
        """Give the code, which is used up now.

        Raises:
            ValidationError: it is wrong, or was used before.
        """
        code: str = super().clean_code()  # type: ignore[misc]  # allauth's
        good_s = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
        plain = "".join(filter(str.isalnum, code)).lower()  # allauth takes it with any spaces
        if not cache.add(f"used-code:{self.user.pk}:{plain}", True, timeout=good_s):
            raise get_adapter().validation_error("incorrect_code")
        return code


class AuthenticateForm(SingleUse, forms.AuthenticateForm):  # type: ignore[misc]  # untyped
    """Asks for a code at the sign-in."""


class ReauthenticateForm(SingleUse, forms.ReauthenticateForm):  # type: ignore[misc]  # untyped
    """Asks for a code once more, before something that needs a proof."""
