"""Secrets that are shown once: links and keys, of which only a digest is kept."""

from __future__ import annotations

import hashlib
import secrets

SECRET_BYTES = 32


def new_secret() -> str:
    """Make a secret of 256 random bits, safe in a URL and in a header."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """Give what is kept of a secret: 64 hex digits.

    A plain hash: what is random in 256 bits cannot be guessed, so nothing is won by a slow one.
    """
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
