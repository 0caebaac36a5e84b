"""Signing in by another site: end to end with a real provider, by the rules of sign-up."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.conf import settings as ours
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from tests.conftest import PASSWORD
from tests.vlsite.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.vlsite.test_invitations import invite
from tests.vlsite.test_settings import load, refuse

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

DOOR = reverse("sign_in_elsewhere")
LOGIN = reverse("account_login")


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """Run one provider for all."""
    provider = Provider()
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def provider(running: Provider, settings: SettingsWrapper) -> Provider:
    """Let people sign in by it; it behaves, and knows Dora."""
    running.fault, running.claims = "", Provider(key=running.key).claims
    providers = copy.deepcopy(ours.SOCIALACCOUNT_PROVIDERS)
    providers["openid_connect"]["APPS"] = [
        {
            "provider_id": "oidc",
            "name": "Example",
            "client_id": CLIENT_ID,
            "secret": CLIENT_SECRET,
            "settings": {"server_url": running.url},
        }
    ]
    settings.SOCIALACCOUNT_PROVIDERS = providers
    settings.VL_OIDC_URL, settings.VL_OIDC_NAME = running.url, "Example"
    return running


def browser() -> Client:
    return Client(headers={"accept-language": "en"})


def go_there(client: Client, **form: str) -> str:
    """Press the button; give the address of the provider that the page leads to."""
    page = client.post(DOOR, form)
    assert page.status_code == 200
    found = re.search(
        r'<meta http-equiv="refresh" content="0; url=([^"]+)">', page.content.decode()
    )
    assert found is not None
    return unescape(found[1])


def come_back(client: Client, there: str) -> Any:
    """Let the provider send the browser back; give the page that it ends at."""
    sent = requests.get(there, allow_redirects=False, timeout=10)
    parts = urlsplit(sent.headers["Location"])
    assert parts.path == "/accounts/oidc/oidc/login/callback/"
    return client.get(f"{parts.path}?{parts.query}", follow=True)


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def sign_in() -> Client:
    """Go there and back in a fresh browser."""
    client = browser()
    come_back(client, go_there(client))
    return client


def test_the_sign_in_page_has_the_button(client: Client, provider: Provider) -> None:
    assert b"Sign in with Example" in browser().get(LOGIN).content


def test_without_a_provider_there_is_none(client: Client) -> None:
    assert b"Sign in with" not in browser().get(LOGIN).content.replace(
        b"Sign in with a passkey", b""
    )


def test_who_is_known_there_gets_an_account_here(alice: User, provider: Provider) -> None:
    client = sign_in()

    assert is_in(client)
    dora = get_user_model().objects.get(username="dora")
    assert (dora.email, dora.is_superuser) == ("dora@example.org", False)
    assert not dora.has_usable_password()


def test_the_same_person_comes_back_to_the_same_account(alice: User, provider: Provider) -> None:
    sign_in()
    provider.claims = {**provider.claims, "preferred_username": "renamed"}

    assert is_in(sign_in())
    assert get_user_model().objects.count() == 2


def test_the_first_account_becomes_administrator_this_way_too(db: None, provider: Provider) -> None:
    sign_in()

    assert get_user_model().objects.get().is_superuser


def test_they_arrive_where_they_were_going(alice: User, provider: Provider) -> None:
    client = browser()

    page = come_back(client, go_there(client, next=reverse("chat:account")))

    assert page.redirect_chain[-1][0] == reverse("chat:account")


def test_they_are_led_nowhere_else(alice: User, provider: Provider) -> None:
    client = browser()

    page = come_back(client, go_there(client, next="https://evil.example/"))

    assert page.redirect_chain[-1][0] == "/"


def test_somebody_elses_address_takes_over_no_account(alice: User, provider: Provider) -> None:
    """An account is joined by the provider's own id alone, whatever address it claims."""
    provider.claims = {**provider.claims, "email": alice.email}

    client = sign_in()

    assert client.session.get("_auth_user_id") != str(alice.pk)


@pytest.mark.parametrize("mode", ["closed", "invite"])
def test_nobody_new_comes_in_where_sign_up_is_not_open(
    alice: User, provider: Provider, settings: SettingsWrapper, mode: str
) -> None:
    settings.VL_SIGNUP = mode

    assert not is_in(sign_in())
    assert get_user_model().objects.count() == 1


def test_an_invitation_lets_one_in(
    carol: User, provider: Provider, settings: SettingsWrapper
) -> None:
    settings.VL_SIGNUP = "invite"
    url = invite(carol)
    clients = [browser(), browser()]

    for client in clients:
        client.get(url)
        provider.claims = {
            **provider.claims,
            "sub": str(id(client)),
            "email": f"{id(client)}@e.org",
        }
        come_back(client, go_there(client))

    assert [is_in(client) for client in clients] == [True, False]


def test_a_known_person_comes_in_though_sign_up_is_closed(
    alice: User, provider: Provider, settings: SettingsWrapper
) -> None:
    sign_in()
    settings.VL_SIGNUP = "closed"

    assert is_in(sign_in())


def test_a_deactivated_person_does_not(alice: User, provider: Provider) -> None:
    sign_in()
    get_user_model().objects.update(is_active=False)

    assert not is_in(sign_in())


@pytest.mark.parametrize(
    "fault", ["/token", "/userinfo", "issuer", "audience", "expired", "denied"]
)
def test_what_the_provider_does_wrong_lets_nobody_in(
    alice: User, provider: Provider, fault: str
) -> None:
    provider.fault = fault
    client = browser()

    page = come_back(client, go_there(client))

    assert page.status_code < 500
    assert b"<h1>" in page.content
    assert not is_in(client)
    assert get_user_model().objects.count() == 1


def test_a_provider_that_is_away_is_said(alice: User, provider: Provider) -> None:
    provider.fault = "/.well-known/openid-configuration"

    page = browser().post(DOOR)

    assert page.status_code == 503
    assert b"<h1>" in page.content


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=made-up"])
def test_a_made_up_return_lets_nobody_in(provider: Provider, alice: User, query: str) -> None:
    client = browser()

    client.get(f"/accounts/oidc/oidc/login/callback/{query}")

    assert not is_in(client)


def test_a_return_belongs_to_the_browser_that_left(alice: User, provider: Provider) -> None:
    there = go_there(browser())
    other = browser()

    come_back(other, there)

    assert not is_in(other)


def test_a_link_starts_nothing(client: Client, provider: Provider) -> None:
    assert client.get(DOOR).status_code == 405


def test_an_account_is_connected_by_its_person(alice: User, provider: Provider) -> None:
    client = browser()
    client.post(LOGIN, {"login": "alice", "password": PASSWORD})
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})

    come_back(client, go_there(client, process="connect"))

    again = sign_in()
    assert again.session["_auth_user_id"] == str(alice.pk)


def test_a_session_left_open_connects_nobody(alice: User, provider: Provider) -> None:
    client = browser()
    client.post(LOGIN, {"login": "alice", "password": PASSWORD})

    asked = come_back(client, go_there(client, process="connect"))

    assert [where for where, _ in asked.redirect_chain] == [reverse("account_reauthenticate")]
    assert not SocialAccount.objects.exists()


# The settings -------------------------------------------------------------------------------


def test_the_environment_names_the_provider(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\n")

    loaded = load(
        tmp_path, "SOCIALACCOUNT_PROVIDERS", VL_OIDC_URL="https://login.example.org/realms/x/",
        VL_OIDC_NAME="Example", VL_OIDC_CLIENT_ID="chat",
        VL_OIDC_CLIENT_SECRET_FILE=str(tmp_path / "secret"),
    )  # fmt: skip

    (app,) = loaded["SOCIALACCOUNT_PROVIDERS"]["openid_connect"]["APPS"]
    assert app == {
        "provider_id": "oidc",
        "name": "Example",
        "client_id": "chat",
        "secret": "open sesame",
        "settings": {"server_url": "https://login.example.org/realms/x"},
    }


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"VL_OIDC_URL": "http://login.example.org"}, id="not encrypted"),
        pytest.param({"VL_OIDC_URL": "login.example.org"}, id="no address"),
        pytest.param({"VL_OIDC_URL": "https://login.example.org"}, id="no client"),
    ],
)
def test_a_provider_that_is_not_safe_is_refused(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert "VL_OIDC_URL is" in refuse(tmp_path, **environment)
