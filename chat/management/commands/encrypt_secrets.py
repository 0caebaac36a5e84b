"""`manage.py encrypt_secrets`: the last step of changing VL_SECRET_KEY."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError

from vlsite.second_factors import encrypt_all


class Command(BaseCommand):
    """Encrypts all secrets of second factors with the key of now: then no former one is needed."""

    help = "Encrypt the secrets of second factors with the VL_SECRET_KEY of now."

    def handle(self, **_options: Any) -> None:
        """Encrypt: 2 queries, and 1 for each second factor.

        Raises:
            CommandError: some cannot be read; the others are encrypted all the same.
        """
        done, unreadable = encrypt_all(Authenticator.objects)
        self.stdout.write(f"Encrypted the secrets of {done} second factors.")
        if unreadable:
            raise CommandError(
                f"{unreadable} cannot be read: give the key that they were encrypted with as "
                "VL_FORMER_SECRET_KEY, or delete them in the admin (Authenticators)."
            )
