"""Secrets of second factors, encrypted in the database: a copy of it is not enough to make codes.

The key is made of VL_SECRET_KEY. What was encrypted with a former one (VL_FORMER_SECRET_KEY) is
read as well, and so is what an older version kept as it was.
"""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any

from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.shortcuts import render
from django.utils.crypto import salted_hmac

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

MARK = "encrypted:"  # neither base32 nor a number: no secret of allauth's begins so
SALT = "vlsite.second_factors"
SECRETS = ("secret", "seed")  # in a row's `data`


class UnreadableSecretError(Exception):
    """A secret was encrypted with a key that is not known any more."""


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    """allauth's adapter; it asks here whenever it keeps or needs a secret."""

    def encrypt(self, text: str) -> str:
        """Give what is kept."""
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Give the secret.

        Raises:
            ImmediateHttpResponse: its key is lost; a page that says who can help. To call the code
                wrong would be a lie, and a secret made up here could be guessed.
        """
        try:
            return decrypt(encrypted_text)
        except UnreadableSecretError as error:
            logger.error("second factor: %s", error)
            page = render(context.request, "mfa/unreadable.html", status=503)
            raise ImmediateHttpResponse(page) from error


def encrypt(text: str) -> str:
    """Encrypt with the key of now."""
    return MARK + _keys().encrypt(text.encode()).decode()


def decrypt(kept: str) -> str:
    """Decrypt with the key of now or a former one.

    Raises:
        UnreadableSecretError: it was encrypted with neither, or is damaged.
    """
    if not kept.startswith(MARK):
        return kept
    try:
        return _keys().decrypt(kept.removeprefix(MARK)).decode()
    except InvalidToken as error:
        raise UnreadableSecretError("a secret was encrypted with another VL_SECRET_KEY") from error


def encrypt_all(authenticators: Any) -> tuple[int, int]:
    """Encrypt the secrets of these rows with the key of now, in one transaction.

    Returns how many were encrypted anew, and how many cannot be read and stay as they are. Takes
    a manager, so that a migration can give its own.
    """
    done = unreadable = 0
    with transaction.atomic():
        for row in authenticators.select_for_update().order_by("pk"):
            try:
                renewed = {name: _renew(row.data[name]) for name in SECRETS if name in row.data}
            except UnreadableSecretError:
                unreadable += 1
                continue
            if renewed:
                row.data |= renewed
                row.save(update_fields=["data"])
                done += 1
    return done, unreadable


def _renew(kept: str) -> str:
    return encrypt(decrypt(kept))


def _keys() -> MultiFernet:
    """Encrypts with the first, decrypts with any."""
    return MultiFernet(list(_fernets([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])))


def _fernets(secret_keys: Iterable[str]) -> Iterable[Fernet]:
    for secret_key in secret_keys:
        # Of 50 random characters and more (`vlsite.checks`): nothing that would have to be slow.
        key = salted_hmac(SALT, "", secret=secret_key, algorithm="sha256").digest()
        yield Fernet(base64.urlsafe_b64encode(key))
