"""Accounts over HTTP: who may sign up, who becomes administrator, sign in and out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.urls import reverse

from tests.conftest import PASSWORD
from vlsite import limit_settings

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "another long secret"


def sign_up(client: Client, name: str) -> User | None:
    """Sign up as a person does; give the account, if one was made."""
    form = {"username": name, "email": "", "password1": PASSWORD, "password2": PASSWORD}
    client.post(reverse("account_signup"), form)
    return get_user_model().objects.filter(username=name).first()


def sign_in(client: Client, name: str, password: str = PASSWORD) -> bool:
    """Sign in with the form's own field names; tell whether it worked."""
    client.post(reverse("account_login"), {"login": name, "password": password})
    return "_auth_user_id" in client.session


def test_the_first_account_becomes_administrator(client: Client) -> None:
    user = sign_up(client, "alice")

    assert user is not None
    assert (user.is_staff, user.is_superuser) == (True, True)


def test_the_second_account_does_not(client: Client, alice: User) -> None:
    user = sign_up(client, "bob")

    assert user is not None
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_signing_up_signs_in_and_leads_to_the_chat(client: Client) -> None:
    form = {"username": "alice", "email": "", "password1": PASSWORD, "password2": PASSWORD}

    response = client.post(reverse("account_signup"), form)

    assert response["Location"] == "/"
    assert "_auth_user_id" in client.session


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("short", id="short"),
        pytest.param("password", id="common"),
        pytest.param("8472938472", id="digits"),
    ],
)
def test_a_weak_password_is_refused(client: Client, password: str) -> None:
    form = {"username": "alice", "email": "", "password1": password, "password2": password}

    response = client.post(reverse("account_signup"), form)

    assert response.status_code == 200
    assert not get_user_model().objects.exists()


def test_closed_sign_up_makes_no_account(
    client: Client, alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_SIGNUP = "closed"

    assert sign_up(client, "bob") is None


def test_closed_sign_up_still_lets_the_first_account_be_made(
    client: Client, settings: SettingsWrapper
) -> None:
    settings.VL_SIGNUP = "closed"

    user = sign_up(client, "alice")

    assert user is not None
    assert user.is_superuser


@pytest.mark.parametrize("login", ["alice", "ALICE", "alice@example.org"])
def test_people_sign_in_by_name_or_address(client: Client, alice: User, login: str) -> None:
    assert sign_in(client, login)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        pytest.param("alice", "wrong", id="wrong password"),
        pytest.param("nobody", PASSWORD, id="unknown name"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_who_cannot_prove_it_is_not_signed_in(
    client: Client, alice: User, login: str, password: str
) -> None:
    assert not sign_in(client, login, password)


def test_a_deactivated_person_cannot_sign_in(client: Client, alice: User) -> None:
    alice.is_active = False
    alice.save()

    assert not sign_in(client, "alice")


def test_a_wrong_password_and_an_unknown_name_look_alike(client: Client, alice: User) -> None:
    answers = [
        client.post(reverse("account_login"), {"login": login, "password": "wrong"})
        for login in ("alice", "nobody")
    ]

    known, unknown = (list(answer.context["form"].non_field_errors()) for answer in answers)
    assert known
    assert known == unknown


def test_signing_out_ends_the_session(client: Client, alice: User) -> None:
    sign_in(client, "alice")

    client.post(reverse("account_logout"))

    assert "_auth_user_id" not in client.session


def test_a_link_alone_signs_nobody_out(client: Client, alice: User) -> None:
    sign_in(client, "alice")

    client.get(reverse("account_logout"))

    assert "_auth_user_id" in client.session


def change_password(client: Client, old: str) -> None:
    """Change the password as a person does."""
    form = {"oldpassword": old, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    client.post(reverse("account_change_password"), form)


def test_a_changed_password_counts_from_then_on(client: Client, alice: User) -> None:
    sign_in(client, "alice")

    change_password(client, PASSWORD)
    client.post(reverse("account_logout"))

    assert not sign_in(client, "alice")
    assert sign_in(client, "alice", NEW_PASSWORD)


def test_changing_the_password_keeps_this_session(client: Client, alice: User) -> None:
    sign_in(client, "alice")

    change_password(client, PASSWORD)

    assert client.get("/accounts/password/change/").status_code == 200


def test_the_password_is_not_changed_without_the_old_one(client: Client, alice: User) -> None:
    sign_in(client, "alice")

    change_password(client, "wrong")

    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@pytest.mark.parametrize("path", ["/", "/conversations/", "/accounts/password/change/"])
def test_a_stranger_is_led_to_the_sign_in(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


@pytest.fixture
def _rate_limits(settings: SettingsWrapper) -> Iterator[None]:
    """Switch on what the tests' own settings switch off."""
    settings.ACCOUNT_RATE_LIMITS = limit_settings.ACCOUNT_RATE_LIMITS
    cache.clear()
    yield
    cache.clear()


@pytest.mark.usefixtures("_rate_limits")
def test_guessing_a_password_is_stopped(client: Client, alice: User) -> None:
    for _ in range(5):
        sign_in(client, "alice", "wrong")

    assert not sign_in(client, "alice", PASSWORD)


@pytest.mark.usefixtures("_rate_limits")
def test_a_few_mistakes_are_no_attack(client: Client, alice: User) -> None:
    for _ in range(3):
        sign_in(client, "alice", "wrong")

    assert sign_in(client, "alice", PASSWORD)
