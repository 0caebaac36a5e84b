"""A password costs the same work whoever is meant, so neither a clock nor the bill tells who is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.urls import reverse

from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

LOGIN = reverse("account_login")


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each password that is hashed."""
    noted: list[str] = []
    encode = MD5PasswordHasher.encode

    def counting(self: MD5PasswordHasher, password: str, salt: str) -> str:
        noted.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    return noted


def signs_in(login: str, password: str = PASSWORD) -> str:
    """Sign in as people do; give the id of who is in, or nothing."""
    client = Client()
    client.post(LOGIN, {"login": login, "password": password})
    return str(client.session.get("_auth_user_id", ""))


@pytest.mark.parametrize(
    ("login", "work"),
    [
        pytest.param("alice", 1, id="a name"),
        pytest.param("nobody", 1, id="no name"),
        pytest.param("alice@example.org", 2, id="an address"),
        pytest.param("nobody@example.org", 2, id="no address"),
        pytest.param("dora@example.org", 2, id="an address of who has no password"),
    ],
)
def test_a_wrong_password_costs_the_same_whoever_is_meant(
    alice: User, hashes: list[str], login: str, work: int
) -> None:
    get_user_model().objects.create_user("dora", "dora@example.org")
    hashes.clear()

    assert not signs_in(login, "wrong")
    assert len(hashes) == work


@pytest.mark.parametrize("login", ["alice", "alice@example.org", "ALICE@example.org"])
def test_the_right_one_lets_its_person_in(alice: User, login: str) -> None:
    assert signs_in(login) == str(alice.pk)


def test_a_name_that_is_somebodys_address_locks_neither_out(alice: User) -> None:
    mallory = get_user_model().objects.create_user(alice.email, password="mallory's own")

    assert signs_in(alice.email) == str(alice.pk)
    assert signs_in(alice.email, "mallory's own") == str(mallory.pk)
