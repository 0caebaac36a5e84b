"""The account's own pages: overview, sessions, keys, the end. For their person alone."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from chat.models import ApiKey, Preferences
from chat.services import api_keys
from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

ACCOUNT = reverse("chat:account")
SESSIONS = reverse("chat:sessions")
END_OTHERS = reverse("chat:end_other_sessions")
KEYS = reverse("chat:keys")
DELETE = reverse("chat:delete_account")
EMAIL = reverse("account_email")
SET_PASSWORD = reverse("account_set_password")
REAUTHENTICATE = reverse("account_reauthenticate")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGES = [ACCOUNT, SESSIONS, KEYS, DELETE, reverse("mfa_index")]


@pytest.fixture(autouse=True)
def media(settings: SettingsWrapper, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.USERSESSIONS_TRACK_ACTIVITY = True


def signed_in(name: str, user_agent: str = FIREFOX) -> Client:
    """Sign somebody in as they do, and let them prove who they are once more."""
    client = Client(headers={"accept-language": "en", "user-agent": user_agent})
    client.post(reverse("account_login"), {"login": name, "password": PASSWORD})
    client.post(REAUTHENTICATE, {"password": PASSWORD})
    assert is_in(client)
    return client


def not_proven(user: User) -> Client:
    """Give somebody who has proven nothing lately."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def is_in(client: Client) -> bool:
    """Tell whether the chat lets this browser in."""
    return client.get("/").status_code == 200


def text_of(response: Any) -> str:
    """Give what a page says."""
    html: str = response.content.decode()
    return html


@pytest.mark.parametrize("path", [*PAGES, END_OTHERS])
def test_strangers_are_led_to_the_sign_in(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_each_page_is_shown(alice: User, path: str, language: str) -> None:
    page = signed_in("alice").get(path, headers={"accept-language": language})

    assert page.status_code == 200
    assert f'<html lang="{language}"' in text_of(page)


@pytest.mark.parametrize("path", [SESSIONS, KEYS, DELETE, ACCOUNT])
def test_no_cache_keeps_them(alice: User, path: str) -> None:
    assert "no-store" in signed_in("alice").get(path)["Cache-Control"]


def test_the_chat_leads_to_the_account(alice: User) -> None:
    assert f'href="{ACCOUNT}"' in text_of(signed_in("alice").get("/"))


# Sessions -----------------------------------------------------------------------------------


def test_the_list_names_each_browser(alice: User) -> None:
    signed_in("alice", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1")

    page = text_of(signed_in("alice").get(SESSIONS))

    assert re.findall(r"<strong>([^<]+)</strong>", page) == ["Firefox · Linux", "Safari · iPhone"]
    assert page.count("this browser") == 1
    assert "127.0.0.1" in page


def test_one_browser_is_signed_out(alice: User) -> None:
    other, here = signed_in("alice"), signed_in("alice")
    session = UserSession.objects.get(session_key=other.session.session_key)

    here.post(reverse("chat:end_session", args=(session.pk,)))

    assert [is_in(other), is_in(here)] == [False, True]


def test_everywhere_else_is_everywhere_else(alice: User) -> None:
    others, here = [signed_in("alice"), signed_in("alice")], signed_in("alice")

    here.post(END_OTHERS)

    assert [is_in(client) for client in [*others, here]] == [False, False, True]


def test_a_session_from_before_the_list_is_ended_too(alice: User) -> None:
    before, here = not_proven(alice), signed_in("alice")
    is_in(before)  # seen: now it is on the list

    here.post(END_OTHERS)

    assert not is_in(before)


def test_nobody_signs_others_out(alice: User, bob: User) -> None:
    hers = signed_in("alice")
    session = UserSession.objects.get(session_key=hers.session.session_key)

    answer = signed_in("bob").post(reverse("chat:end_session", args=(session.pk,)))

    assert answer.status_code == 404
    assert is_in(hers)


@pytest.mark.parametrize("path", [END_OTHERS, reverse("chat:end_session", args=(1,))])
def test_a_link_signs_nobody_out(alice: User, path: str) -> None:
    assert signed_in("alice").get(path).status_code == 405


def test_a_busy_session_is_noted_once_a_minute(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in("alice")
    client.get(SESSIONS)
    noted: list[object] = []
    monkeypatch.setattr(UserSession.objects, "create_from_request", noted.append)

    client.get(SESSIONS)

    assert noted == []


def test_a_deleted_session_comes_back_by_no_request(alice: User) -> None:
    client = signed_in("alice")
    Session.objects.all().delete()

    client.get("/")

    assert not Session.objects.exists()


# Keys ---------------------------------------------------------------------------------------

FORM = {"name": "backup script", "scope": "read", "days": "90"}


def test_a_key_is_shown_once(alice: User) -> None:
    client = signed_in("alice")

    shown = re.search(r">(vlk_[\w-]+)<", text_of(client.post(KEYS, FORM)))

    assert shown is not None
    found = api_keys.find(shown[1])
    assert found is not None
    assert (found.owner, found.name, found.scope) == (alice, "backup script", "read")
    later = text_of(client.get(KEYS))
    assert shown[1] not in later
    assert shown[1][:12] in later


def test_only_a_digest_of_the_key_is_kept(alice: User) -> None:
    _key, text = api_keys.issue(alice, name="a", scope=ApiKey.Scope.CHAT, days=None)

    kept = " ".join(str(value) for value in ApiKey.objects.values_list().get())
    assert text not in kept
    assert text[12:] not in kept


def test_a_key_is_made_by_who_proves_who_they_are(alice: User) -> None:
    client = not_proven(alice)

    asked = client.post(KEYS, FORM)
    assert (asked.status_code, ApiKey.objects.count()) == (302, 0)
    assert asked["Location"].startswith(REAUTHENTICATE)

    resumed = client.post(asked["Location"], {"password": PASSWORD})
    assert "vlk_" in text_of(resumed)
    assert ApiKey.objects.count() == 1


def test_another_address_is_added_by_who_proves_who_they_are(alice: User) -> None:
    client = not_proven(alice)

    asked = client.post(EMAIL, {"action_add": "", "email": "mallory@example.org"})
    is_added = EmailAddress.objects.exists()
    client.post(asked["Location"], {"password": PASSWORD})

    assert asked["Location"].startswith(REAUTHENTICATE)
    assert not is_added
    assert EmailAddress.objects.filter(email="mallory@example.org").exists()


@pytest.mark.parametrize("action", ["action_primary", "action_remove", "action_send"])
def test_addresses_are_changed_by_who_proves_who_they_are(alice: User, action: str) -> None:
    EmailAddress.objects.create(user=alice, email="mallory@example.org", verified=True)
    before = list(EmailAddress.objects.values())

    asked = not_proven(alice).post(EMAIL, {action: "", "email": "mallory@example.org"})

    assert asked["Location"].startswith(REAUTHENTICATE)
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"
    assert list(EmailAddress.objects.values()) == before


def test_a_session_left_open_gets_no_first_password(alice: User) -> None:
    alice.set_unusable_password()  # another site vouches for her
    alice.save()
    client = not_proven(alice)

    asked = client.post(SET_PASSWORD, {"password1": "mallory's own", "password2": "mallory's own"})

    assert asked["Location"].startswith(reverse("account_login"))
    alice.refresh_from_db()
    assert not alice.has_usable_password()


def test_addresses_are_shown_without_a_proof(alice: User) -> None:
    assert alice.email in text_of(not_proven(alice).get(EMAIL))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"name": ""}, id="no name"),
        pytest.param({"name": "x" * 61}, id="a name that is too long"),
        pytest.param({"scope": "everything"}, id="an unknown scope"),
        pytest.param({"days": "-1"}, id="days that are not offered"),
    ],
)
def test_a_malformed_key_is_not_made(alice: User, wrong: dict[str, str]) -> None:
    page = signed_in("alice").post(KEYS, {**FORM, **wrong})

    assert 'class="field__errors"' in text_of(page)
    assert not ApiKey.objects.exists()


def test_a_person_has_so_many_keys_at_most(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_API_KEYS = 1
    client = signed_in("alice")
    client.post(KEYS, FORM)

    page = client.post(KEYS, FORM)

    assert "Revoke one first" in text_of(page)
    assert ApiKey.objects.count() == 1


def test_a_revoked_key_is_gone(alice: User) -> None:
    key, text = api_keys.issue(alice, name="a", scope=ApiKey.Scope.CHAT, days=None)

    signed_in("alice").post(reverse("chat:revoke_key", args=(key.pk,)))

    assert api_keys.find(text) is None


@pytest.mark.parametrize("whose", ["bob's", "nobody's"])
def test_others_keys_are_not_revoked(alice: User, bob: User, whose: str) -> None:
    key, text = api_keys.issue(bob, name="a", scope=ApiKey.Scope.CHAT, days=None)
    key_id = key.pk if whose == "bob's" else uuid.uuid4()

    answer = signed_in("alice").post(reverse("chat:revoke_key", args=(key_id,)))

    assert answer.status_code == 404
    assert api_keys.find(text) is not None


# The end ------------------------------------------------------------------------------------


def test_the_account_is_deleted(alice: User, bob: User) -> None:
    client = signed_in("alice")

    page = client.post(DELETE, {"username": "alice"}, follow=True)

    assert list(get_user_model().objects.all()) == [bob]
    assert "is deleted" in text_of(page)
    assert not is_in(client)


def test_it_is_not_deleted_without_the_name(alice: User) -> None:
    page = signed_in("alice").post(DELETE, {"username": "bob"})

    assert "not your user name" in text_of(page)
    assert get_user_model().objects.exists()


def test_it_is_not_deleted_without_a_proof(alice: User) -> None:
    asked = not_proven(alice).post(DELETE, {"username": "alice"})

    assert asked["Location"].startswith(REAUTHENTICATE)
    assert get_user_model().objects.exists()


def test_who_has_no_password_signs_in_again(alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    client = not_proven(alice)

    asked = client.get(DELETE)

    assert asked["Location"] == f"/accounts/login/?next={DELETE}"
    assert not is_in(client)


def test_the_only_administrator_stays(alice: User) -> None:
    get_user_model().objects.update(is_superuser=True)

    page = signed_in("alice").post(DELETE, {"username": "alice"})

    assert "only administrator" in text_of(page)
    assert get_user_model().objects.exists()


# The language -------------------------------------------------------------------------------


def choose(client: Client, language: str) -> None:
    """Choose a language below any page."""
    client.post(reverse("set_language"), {"language": language, "next": "/"})


def test_the_language_comes_along_to_another_browser(alice: User) -> None:
    choose(signed_in("alice"), "zh-hans")

    elsewhere = signed_in("alice")

    assert '<html lang="zh-hans"' in text_of(elsewhere.get("/"))


def test_without_a_choice_the_browser_says_it(alice: User) -> None:
    page = signed_in("alice").get("/", headers={"accept-language": "zh-Hans"})

    assert '<html lang="zh-hans"' in text_of(page)


def test_a_stranger_chooses_for_the_browser_alone(client: Client, alice: User) -> None:
    choose(client, "zh-hans")

    assert not Preferences.objects.exists()
    assert '<html lang="zh-hans"' in text_of(client.get("/accounts/login/"))


def test_an_unknown_language_is_not_kept(alice: User) -> None:
    choose(signed_in("alice"), "tlh")

    assert not Preferences.objects.exists()
