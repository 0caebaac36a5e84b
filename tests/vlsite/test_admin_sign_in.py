"""The admin's door is the site's own sign-in: no second password form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
DOOR = reverse("admin:login")
LOGIN = reverse("account_login")


@pytest.mark.parametrize("path", [INDEX, DOOR, reverse("admin:chat_conversation_changelist")])
def test_a_stranger_is_led_to_the_sites_sign_in(client: Client, path: str) -> None:
    page = client.get(path, follow=True)

    assert page.redirect_chain[-1][0].startswith(LOGIN)
    assert b'name="login"' in page.content


def test_who_signs_in_there_comes_back(client: Client, carol: User) -> None:
    page = client.get(INDEX, follow=True)

    form = {"login": "carol", "password": PASSWORD, "next": page.context["redirect_field_value"]}
    arrived = client.post(LOGIN, form, follow=True)

    assert arrived.redirect_chain[-1][0] == INDEX


def test_the_old_form_signs_nobody_in(client: Client, carol: User) -> None:
    client.post(DOOR, {"username": "carol", "password": PASSWORD})

    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("path", [INDEX, DOOR])
def test_who_is_no_staff_is_told_so(client: Client, bob: User, path: str) -> None:
    client.force_login(bob)

    assert client.get(path, follow=True).status_code == 403


def test_staff_go_straight_in(client: Client, carol: User) -> None:
    client.force_login(carol)

    assert client.get(DOOR)["Location"] == INDEX


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_the_door_leads_nowhere_else(client: Client, carol: User, target: str) -> None:
    client.force_login(carol)

    assert client.get(DOOR, {"next": target})["Location"] == INDEX
