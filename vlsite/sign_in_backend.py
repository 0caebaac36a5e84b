"""Passwords: as much work for a name that nobody has as for one that somebody has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.userkit import filter_users_by_email, get_user_by_username

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from django.http import HttpRequest


class SignInBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth is untyped
    """Looks for who signs in by name or address, and hashes the same number of times for all.

    Behind Django's own, allauth's hashed twice for a wrong password, and three times for an address
    with an account: a second and more of the processor for one request, and a clock that tells who
    has an account.
    """

    def _authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """Check the password of whom the name, or the address, may mean: at most one of each.

        A name may look like somebody's address, and neither locks the other out.
        """
        password = credentials["password"]
        logins = {credentials.get(kind) or "" for kind in ("username", "email")} - {""}
        checks = 2 if any("@" in login for login in logins) else 1
        meant = list(dict.fromkeys(user for login in logins for user in _meant_by(login)))[:checks]
        for user in meant:
            if self._check_password(user, password):
                return user
        for _ in range(checks - len(meant)):
            self._mitigate_timing_attack(password)
        self._did_check_password = True
        return None


def _meant_by(login: str) -> Iterator[User]:
    if "@" in login:
        yield from filter_users_by_email(login, prefer_verified=True, for_login=True)[:1]
    named = get_user_by_username(login)
    if named is not None:
        yield named
