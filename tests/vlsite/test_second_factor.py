"""Second factors: set up, asked for, and required of staff where the site says so."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

LOGIN = reverse("account_login")
CODE = reverse("mfa_authenticate")
ACTIVATE = reverse("mfa_activate_totp")
INDEX = reverse("admin:index")
SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def _fresh_codes() -> Iterator[None]:
    """Forget which codes were used: each works once, which the cache remembers."""
    cache.clear()
    yield
    cache.clear()


def code_for(secret: str) -> str:
    """Read the code from the person's phone."""
    _before, counter, _after = yield_hotp_counters_from_time()
    code: str = format_hotp_value(hotp_value(secret, counter))
    return code


def has_password(name: str) -> Client:
    """Give the browser of somebody who has sent name and password."""
    client = Client(headers={"accept-language": "en"})
    client.post(LOGIN, {"login": name, "password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    """Tell whether somebody is signed in."""
    return "_auth_user_id" in client.session


def test_an_app_is_set_up_by_its_code(alice: User) -> None:
    client = has_password("alice")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(ACTIVATE).content.decode()
    secret = re.search(r'id="authenticator_secret" value="(\w+)"', page)
    assert secret is not None
    assert 'src="data:image/svg+xml;base64,' in page

    client.post(ACTIVATE, {"code": code_for(secret[1])})

    kinds = Authenticator.objects.filter(user=alice).values_list("type", flat=True)
    assert set(kinds) == {"totp", "recovery_codes"}


def test_it_is_not_set_up_by_a_wrong_code(alice: User) -> None:
    client = has_password("alice")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.get(ACTIVATE)

    client.post(ACTIVATE, {"code": "000000"})

    assert not Authenticator.objects.exists()


def test_it_is_not_set_up_without_a_proof(alice: User) -> None:
    assert has_password("alice").get(ACTIVATE)["Location"].startswith("/accounts/reauthenticate/")


def test_the_password_alone_is_not_enough_then(alice: User) -> None:
    TOTP.activate(alice, SECRET)
    client = has_password("alice")

    assert not is_in(client)
    client.post(CODE, {"code": code_for(SECRET)})
    assert is_in(client)


@pytest.mark.parametrize("code", ["000000", "", "x" * 500])
def test_a_wrong_code_lets_nobody_in(alice: User, code: str) -> None:
    TOTP.activate(alice, SECRET)
    client = has_password("alice")

    client.post(CODE, {"code": code})

    assert not is_in(client)


def test_a_code_works_once(alice: User) -> None:
    TOTP.activate(alice, SECRET)
    code = code_for(SECRET)
    has_password("alice").post(CODE, {"code": code})
    again = has_password("alice")

    again.post(CODE, {"code": code})

    assert not is_in(again)


@pytest.mark.parametrize("separated", [False, True])
def test_a_code_does_not_work_again_in_the_next_period(
    alice: User, monkeypatch: pytest.MonkeyPatch, separated: bool
) -> None:
    """It is still good then, for phones whose clock is behind."""
    TOTP.activate(alice, SECRET)
    code = code_for(SECRET)
    has_password("alice").post(CODE, {"code": code})
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31)
    later, again = has_password("alice"), has_password("alice")

    again.post(CODE, {"code": f"{code[:3]} {code[3:]}" if separated else code})
    later.post(CODE, {"code": code_for(SECRET)})

    assert not is_in(again)
    assert is_in(later)


def test_a_code_is_not_a_proof_again_in_the_next_period(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    TOTP.activate(alice, SECRET)
    code, client = code_for(SECRET), has_password("alice")
    client.post(CODE, {"code": code})
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31)

    answer = client.post(reverse("mfa_reauthenticate"), {"code": code})

    assert answer.status_code == 200
    assert answer.context["form"].errors


def test_a_recovery_code_lets_in_once(alice: User) -> None:
    TOTP.activate(alice, SECRET)
    code = RecoveryCodes.activate(alice).get_unused_codes()[0]
    clients = [has_password("alice"), has_password("alice")]

    for client in clients:
        client.post(CODE, {"code": code})

    assert [is_in(client) for client in clients] == [True, False]


@pytest.mark.parametrize("path", [CODE, reverse("mfa_index"), ACTIVATE])
def test_strangers_get_no_further(client: Client, path: str) -> None:
    assert client.get(path)["Location"].startswith(LOGIN)


# Of staff -----------------------------------------------------------------------------------


def test_staff_without_one_are_led_to_set_one_up(carol: User, settings: SettingsWrapper) -> None:
    settings.VL_STAFF_MFA = "required"

    page = has_password("carol").get(INDEX, follow=True)

    assert page.redirect_chain[-1][0] == reverse("mfa_index")
    assert b"Set up a second factor first" in page.content


@pytest.mark.parametrize("path", [INDEX, reverse("admin:chat_conversation_changelist")])
def test_staff_with_one_come_in(carol: User, settings: SettingsWrapper, path: str) -> None:
    settings.VL_STAFF_MFA = "required"
    TOTP.activate(carol, SECRET)
    client = has_password("carol")
    client.post(CODE, {"code": code_for(SECRET)})

    assert client.get(path).status_code == 200


def test_recovery_codes_alone_are_none(carol: User, settings: SettingsWrapper) -> None:
    settings.VL_STAFF_MFA = "required"
    RecoveryCodes.activate(carol)

    assert has_password("carol").get(INDEX).status_code == 302


def test_where_it_is_not_required_staff_come_in_without(carol: User) -> None:
    assert has_password("carol").get(INDEX).status_code == 200


def test_the_account_page_says_what_is_missing(carol: User, settings: SettingsWrapper) -> None:
    settings.VL_STAFF_MFA = "required"

    page = has_password("carol").get(reverse("chat:account"))

    assert b"asks its staff for a second factor" in page.content
