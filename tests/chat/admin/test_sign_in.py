"""Second factors and sessions in the admin: no secret is shown, and deleting means what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tests.chat.admin.test_admin import desk_of
from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture
def desk(carol: User) -> Client:
    """Let carol view and delete what this is about."""
    verbs, models = ("view", "delete", "change", "add"), ("authenticator", "usersession")
    names = [f"{verb}_{model}" for verb in verbs for model in models]
    carol.user_permissions.add(*Permission.objects.filter(codename__in=names))
    return desk_of(carol)


def test_the_secret_of_an_app_is_not_shown(desk: Client, alice: User) -> None:
    row = TOTP.activate(alice, SECRET).instance

    pages = [
        desk.get(reverse("admin:mfa_authenticator_changelist")),
        desk.get(reverse("admin:mfa_authenticator_change", args=(row.pk,))),
    ]

    assert [page.status_code for page in pages] == [200, 200]
    assert not any(SECRET in page.content.decode() for page in pages)


def test_a_lost_factor_is_taken_away(desk: Client, alice: User) -> None:
    row = TOTP.activate(alice, SECRET).instance

    desk.post(reverse("admin:mfa_authenticator_delete", args=(row.pk,)), {"post": "yes"})

    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("model", ["mfa_authenticator", "usersessions_usersession"])
def test_nobody_makes_one_for_others(desk: Client, model: str) -> None:
    assert desk.get(reverse(f"admin:{model}_add")).status_code == 403


@pytest.mark.parametrize("way", ["on its page", "in the list"])
def test_deleting_a_session_signs_it_out(desk: Client, alice: User, way: str) -> None:
    hers = Client()
    hers.post(reverse("account_login"), {"login": "alice", "password": PASSWORD})
    row = UserSession.objects.get(user=alice)

    if way == "on its page":
        url = reverse("admin:usersessions_usersession_delete", args=(row.pk,))
        desk.post(url, {"post": "yes"})
    else:
        form = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        desk.post(reverse("admin:usersessions_usersession_changelist"), form)

    assert hers.get("/").status_code == 302


def test_the_key_of_a_session_is_not_shown(desk: Client, alice: User) -> None:
    hers = Client()
    hers.post(reverse("account_login"), {"login": "alice", "password": PASSWORD})
    row = UserSession.objects.get(user=alice)

    page = desk.get(reverse("admin:usersessions_usersession_change", args=(row.pk,)))

    assert page.status_code == 200
    assert row.session_key not in page.content.decode()
