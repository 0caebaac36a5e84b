"""Who may call the JSON API: a signed-in person, with CSRF protection on what changes, or a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from ninja.errors import HttpError
from ninja.security import SessionAuth
from ninja.utils import check_csrf

from chat.errors import ChatError, ErrorCode
from chat.key_sign_in import credential_of, key_in
from chat.models import ApiKey
from chat.rate_limits import Caller
from chat.services import api_keys

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest

# Room for the boundaries and headers around an uploaded file.
MULTIPART_BYTES = 64 * 1024
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class PersonAuth(SessionAuth):
    """The session's person, or the key's; 401 before 403, so that a client knows to sign in."""

    def __call__(self, request: HttpRequest) -> User | None:
        """Give the person, or None for nobody; look at no body of somebody unknown.

        Who presents a key is who it says, or nobody: no cookie counts beside it.
        """
        text = key_in(request.headers.get("Authorization", ""))
        if text is not None:
            return _person_by_key(request, text)
        user: User | None = self.authenticate(request, None)
        if user is None:
            return None
        _check_length(request)
        if check_csrf(request):
            raise HttpError(403, "The CSRF token is missing or wrong.")
        return user


def _person_by_key(request: HttpRequest, text: str) -> User | None:
    """Give the key's person; no browser sends a key by itself, so CSRF is no danger."""
    key = api_keys.find(text)
    if key is None:
        return None
    _check_length(request)
    if key.scope == ApiKey.Scope.READ and request.method not in SAFE_METHODS:
        raise HttpError(403, "This key may only read.")
    request.api_key = key  # type: ignore[attr-defined]  # for `credential`
    return key.owner


def credential(request: HttpRequest) -> str:
    """Give what the caller signed in with, as `chat.session_watch` knows it."""
    key: ApiKey | None = getattr(request, "api_key", None)
    return credential_of(key) if key else request.session.session_key or ""


def person(request: HttpRequest) -> User:
    """Give who calls, as the authentication found out."""
    user: User = request.auth  # type: ignore[attr-defined]  # set by ninja
    return user


def caller(request: HttpRequest) -> Caller:
    """Give who calls, and from where, for what is counted."""
    return Caller(person(request).pk, request.META.get("REMOTE_ADDR", ""))


def _check_length(request: HttpRequest) -> None:
    """Refuse a body that is too long before its first byte is parsed or spooled to disk."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    limit = settings.VL_UPLOAD_BYTES
    if length.isdigit() and int(length) > limit + MULTIPART_BYTES:
        raise ChatError(ErrorCode.IMAGE_TOO_LARGE, limit=f"{limit / 2**20:.3g} MiB")
