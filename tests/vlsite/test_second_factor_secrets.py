"""Secrets of second factors in the database: encrypted, and through a change of the key."""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY, TOTP
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from tests.conftest import PASSWORD
from tests.vlsite.test_second_factor import ACTIVATE, CODE, SECRET, code_for, has_password, is_in
from tests.vlsite.test_settings import load
from vlsite.second_factors import MARK, UnreadableSecretError, decrypt, encrypt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

SEED = "5eed" * 20
OLD_KEY, NEW_KEY = "an old key " * 5, "a new key " * 5


@pytest.fixture(autouse=True)
def _key(settings: SettingsWrapper) -> Iterator[None]:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD_KEY, []
    cache.clear()  # which codes were used
    yield
    cache.clear()


def have_factors(person: User, secret: str = SECRET) -> None:
    """Set up an app and recovery codes."""
    TOTP.activate(person, secret)
    RecoveryCodes.activate(person)


def have_plain_factors(person: User) -> None:
    """Set them up as older versions did."""
    rows = Authenticator.objects
    rows.create(user=person, type="totp", data={"secret": SECRET})
    rows.create(user=person, type="recovery_codes", data={"seed": SEED, "used_mask": 0})


def dump() -> str:
    """Give all that the database holds, as a copy of it would."""
    sessions = [session.get_decoded() for session in Session.objects.all()]
    return "\n".join([*connection.connection.iterdump(), str(sessions)])


def code_lets_in(code: str) -> bool:
    """Sign in as alice with this code."""
    cache.clear()
    client = has_password("alice")
    client.post(CODE, {"code": code})
    return is_in(client)


def encrypt_secrets() -> str:
    """Run the command; give what it says."""
    said = io.StringIO()
    call_command("encrypt_secrets", stdout=said)
    return said.getvalue()


def test_a_copy_of_the_database_holds_no_secret(alice: User) -> None:
    """As a person sets it up: the secret once stood there, and also in their session."""
    client = has_password("alice")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.get(ACTIVATE)
    secret = client.session[SECRET_SESSION_KEY]
    client.post(ACTIVATE, {"code": code_for(secret)})
    recovery = RecoveryCodes(Authenticator.objects.get(type="recovery_codes"))
    seed, codes = decrypt(recovery.instance.data["seed"]), recovery.get_unused_codes()

    everything = dump()

    assert "alice@example.org" in everything
    assert not [each for each in (secret, seed, *codes) if each in everything]
    assert code_lets_in(code_for(secret))
    assert code_lets_in(codes[0])


def test_the_same_secret_looks_different_each_time() -> None:
    assert encrypt(SECRET) != encrypt(SECRET)
    assert decrypt(encrypt(SECRET)) == SECRET


def test_what_an_older_version_kept_is_read(alice: User) -> None:
    have_plain_factors(alice)

    assert code_lets_in(code_for(SECRET))


def test_the_migration_encrypts_what_an_older_version_kept(alice: User) -> None:
    have_plain_factors(alice)
    codes = RecoveryCodes.activate(alice).get_unused_codes()
    assert SECRET in dump()
    assert SEED in dump()

    import_module("chat.migrations.0010_encrypted_second_factors").encrypt(apps, None)

    assert not [each for each in (SECRET, SEED) if each in dump()]
    assert code_lets_in(code_for(SECRET))
    assert code_lets_in(codes[0])


# Another key --------------------------------------------------------------------------------


def test_the_environment_names_former_keys(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("one\ntwo\n")

    named = load(tmp_path, "SECRET_KEY_FALLBACKS", VL_FORMER_SECRET_KEY_FILE=str(tmp_path / "keys"))

    assert named["SECRET_KEY_FALLBACKS"] == ["one", "two"]


def test_with_the_former_key_people_come_in(alice: User, settings: SettingsWrapper) -> None:
    have_factors(alice)
    codes = RecoveryCodes.activate(alice).get_unused_codes()

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [OLD_KEY]

    assert code_lets_in(code_for(SECRET))
    assert code_lets_in(codes[0])


def test_after_the_command_the_former_key_is_not_needed(
    alice: User, settings: SettingsWrapper
) -> None:
    have_factors(alice)
    codes = RecoveryCodes.activate(alice).get_unused_codes()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [OLD_KEY]

    said = encrypt_secrets()

    settings.SECRET_KEY_FALLBACKS = []
    assert "2 second factors" in said
    assert code_lets_in(code_for(SECRET))
    assert code_lets_in(codes[0])


@pytest.mark.parametrize("how", ["another key", "damaged"])
@pytest.mark.parametrize("code", ["of the app", "made up", "a recovery code"])
def test_a_secret_that_cannot_be_read_lets_nobody_in(
    alice: User, settings: SettingsWrapper, caplog: pytest.LogCaptureFixture, how: str, code: str
) -> None:
    have_factors(alice)
    recovery = RecoveryCodes.activate(alice).get_unused_codes()[0]
    sent = {"of the app": code_for(SECRET), "made up": "000000", "a recovery code": recovery}[code]
    if how == "another key":
        settings.SECRET_KEY = NEW_KEY
    else:
        Authenticator.objects.update(data={"secret": f"{MARK}x", "seed": f"{MARK}x"})
    client = has_password("alice")

    page = client.post(CODE, {"code": sent})

    assert page.status_code == 503
    assert b"Ask an administrator to remove it" in page.content
    assert not is_in(client)
    assert "second factor: a secret was encrypted with another VL_SECRET_KEY" in caplog.text
    assert SECRET not in caplog.text


def test_the_others_are_encrypted_and_the_unreadable_one_is_told(
    alice: User, bob: User, settings: SettingsWrapper
) -> None:
    settings.SECRET_KEY = "a key that is lost " * 3
    have_factors(bob)
    lost = list(Authenticator.objects.filter(user=bob).order_by("pk").values("data"))
    settings.SECRET_KEY = OLD_KEY
    have_factors(alice)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [OLD_KEY]

    with pytest.raises(CommandError, match="2 cannot be read: give the key"):
        encrypt_secrets()

    settings.SECRET_KEY_FALLBACKS = []
    assert code_lets_in(code_for(SECRET))
    assert list(Authenticator.objects.filter(user=bob).order_by("pk").values("data")) == lost


def test_outside_of_a_page_it_is_an_error(settings: SettingsWrapper) -> None:
    kept = encrypt(SECRET)
    settings.SECRET_KEY = NEW_KEY

    with pytest.raises(UnreadableSecretError):
        decrypt(kept)
