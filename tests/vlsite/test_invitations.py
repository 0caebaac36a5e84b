"""Sign-up by invitation: who has a link that still holds comes in, and nobody else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat.models import Invitation
from chat.services import invitations
from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

SIGN_UP = reverse("account_signup")
ADD = reverse("admin:chat_invitation_add")


@pytest.fixture(autouse=True)
def by_invitation(settings: SettingsWrapper) -> None:
    settings.VL_SIGNUP = "invite"


def invite(by: User, *, hours: float = 1, **fields: object) -> str:
    """Make an invitation; give its address."""
    row = Invitation(expires_at=timezone.now() + timedelta(hours=hours), **fields)
    return reverse("account_invitation", args=(invitations.issue(row, by=by),))


def fill_in(client: Client, name: str, email: str = "") -> bool:
    """Send the sign-up form; tell whether an account was made."""
    form = {"username": name, "email": email, "password1": PASSWORD, "password2": PASSWORD}
    client.post(SIGN_UP, form)
    return get_user_model().objects.filter(username=name).exists()


def come_in(url: str, name: str, email: str = "") -> bool:
    """Open a link in a fresh browser and sign up; tell whether it worked."""
    client = Client()
    client.get(url)
    return fill_in(client, name, email)


def test_the_link_leads_to_the_sign_up(client: Client, carol: User) -> None:
    response = client.get(invite(carol))

    assert (response.status_code, response["Location"]) == (302, SIGN_UP)
    assert client.get(SIGN_UP).context["form"]


def test_who_has_a_link_comes_in(carol: User) -> None:
    assert come_in(invite(carol), "bob")


def test_the_invited_are_no_administrators(carol: User) -> None:
    come_in(invite(carol), "bob")

    bob = get_user_model().objects.get(username="bob")
    assert (bob.is_staff, bob.is_superuser) == (False, False)


def test_nobody_comes_in_without_a_link(client: Client, carol: User) -> None:
    page = client.get(SIGN_UP, headers={"accept-language": "en"})

    assert not fill_in(client, "bob")
    assert b"by invitation" in page.content


def test_the_first_account_needs_no_link(client: Client) -> None:
    assert fill_in(client, "alice")


def test_a_link_for_one_admits_one(carol: User) -> None:
    url = invite(carol)

    assert [come_in(url, "bob"), come_in(url, "dave")] == [True, False]


def test_a_link_for_two_admits_two(carol: User) -> None:
    url = invite(carol, max_uses=2)

    assert [come_in(url, name) for name in ("bob", "dave", "eve")] == [True, True, False]


def test_of_two_who_fill_in_the_form_one_comes_in(carol: User) -> None:
    url = invite(carol)
    clients = [Client(), Client()]
    for client in clients:
        client.get(url)

    assert [fill_in(client, f"person{n}") for n, client in enumerate(clients)] == [True, False]
    assert Invitation.objects.get().uses == 1


def test_losing_the_race_makes_no_account(carol: User, monkeypatch: pytest.MonkeyPatch) -> None:
    url = invite(carol)
    client = Client()
    client.get(url)
    monkeypatch.setattr(invitations, "take_up", lambda *_args, **_options: False)

    assert not fill_in(client, "bob")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"expires_at": timezone.now() - timedelta(seconds=1)}, id="expired"),
        pytest.param({"uses": 1}, id="used up"),
    ],
)
def test_a_link_that_is_over_says_so(client: Client, carol: User, spoil: dict[str, object]) -> None:
    url = invite(carol)
    Invitation.objects.update(**spoil)

    page = client.get(url, headers={"accept-language": "en"})

    assert page.status_code == 404
    assert b"This invitation is over" in page.content
    assert not fill_in(client, "bob")


@pytest.mark.parametrize("token", ["x", "%F0%9F%92%A9", "a" * 3000])
def test_a_made_up_link_is_over_too(client: Client, carol: User, token: str) -> None:
    invite(carol)

    assert client.get(f"/accounts/invitation/{token}/").status_code == 404


def test_a_link_that_expires_while_the_form_is_open_is_over(client: Client, carol: User) -> None:
    client.get(invite(carol))
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert not fill_in(client, "bob")


def test_an_invitation_that_was_taken_back_is_over(client: Client, carol: User) -> None:
    client.get(invite(carol))
    Invitation.objects.all().delete()

    assert not fill_in(client, "bob")


@pytest.mark.parametrize(
    ("email", "comes_in"),
    [
        pytest.param("bob@example.org", True, id="the address"),
        pytest.param("BOB@example.org", True, id="the address in capitals"),
        pytest.param("eve@example.org", False, id="another"),
        pytest.param("", False, id="none"),
    ],
)
def test_an_invitation_to_an_address_is_for_that_address(
    carol: User, email: str, comes_in: bool
) -> None:
    assert come_in(invite(carol, email="bob@example.org"), "bob", email) is comes_in


def test_the_link_does_nothing_for_who_is_signed_in(client: Client, carol: User) -> None:
    url = invite(carol)
    client.force_login(carol)

    assert client.get(url)["Location"] == "/"
    assert Invitation.objects.get().uses == 0


def test_the_link_cannot_be_sent_as_a_form(client: Client, carol: User) -> None:
    assert client.post(invite(carol)).status_code == 405


def test_only_a_digest_of_the_link_is_kept(carol: User) -> None:
    token = invite(carol).split("/")[-2]

    kept = " ".join(str(value) for value in Invitation.objects.values_list().get())
    assert token not in kept


def test_more_uses_than_allowed_cannot_be_kept(carol: User) -> None:
    invite(carol)

    with pytest.raises(IntegrityError):
        Invitation.objects.update(uses=2)


# In the admin -------------------------------------------------------------------------------


def desk_of(user: User, *permissions: str) -> Client:
    """Give a signed-in client, after allowing these things."""
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def make(client: Client) -> str:
    """Fill in the admin's form; give the page that follows."""
    form = {
        "note": "Bob",
        "email": "",
        "max_uses": "1",
        "expires_at_0": "2999-01-01",
        "expires_at_1": "00:00",
    }
    html: str = client.post(ADD, form, follow=True).content.decode()
    return html


def test_staff_make_a_link_that_is_shown_once(carol: User) -> None:
    client = desk_of(carol, "add_invitation", "view_invitation")

    url = re.search(r"http://[^<\s]*(/accounts/invitation/[^<\s]+/)", make(client))

    assert url is not None
    assert come_in(url[1], "bob")
    assert url[1] not in client.get(reverse("admin:chat_invitation_changelist")).content.decode()
    assert Invitation.objects.get().created_by == carol


def test_staff_without_the_permission_make_none(carol: User) -> None:
    client = desk_of(carol)

    assert client.get(ADD).status_code == 403
    make(client)
    assert not Invitation.objects.exists()


def test_others_make_none(bob: User) -> None:
    make(desk_of(bob, "add_invitation"))

    assert not Invitation.objects.exists()


def test_the_list_says_what_still_holds(carol: User) -> None:
    invite(carol)
    invite(carol, hours=-1)
    invite(carol, uses=1)

    html = desk_of(carol).get(reverse("admin:chat_invitation_changelist")).content.decode()

    assert sorted(re.findall(r'field-state">([^<]+)<', html)) == ["expired", "open", "used up"]


def test_a_link_that_is_out_is_not_changed(carol: User) -> None:
    invite(carol)
    url = reverse("admin:chat_invitation_change", args=(Invitation.objects.get().pk,))

    response = desk_of(carol, "change_invitation").post(url, {"max_uses": "50"})

    assert response.status_code == 403
    assert Invitation.objects.get().max_uses == 1
