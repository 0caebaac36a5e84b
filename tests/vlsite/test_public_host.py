"""What the request says of its own host leads nowhere: links name the operator's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

PUBLIC = "https://chat.example.org"


@pytest.fixture(autouse=True)
def _in_public(settings: SettingsWrapper) -> None:
    settings.VL_PUBLIC_URL, settings.VL_ORIGINS = PUBLIC, [PUBLIC]
    settings.ALLOWED_HOSTS = ["chat.example.org", "127.0.0.1", "localhost"]
    settings.VL_EMAIL_HOST = "mail.example.org"
    settings.DEFAULT_FROM_EMAIL = "chat@example.org"


@pytest.mark.parametrize(
    "host",
    [
        "chat.example.org",
        "CHAT.example.org",
        "chat.example.org.",
        "chat.example.org:6666",
        "localhost:6666",
        "127.0.0.1",
    ],
)
def test_the_link_to_a_new_password_leads_to_this_site(alice: User, host: str) -> None:
    Client(headers={"host": host}).post(
        reverse("account_reset_password"), {"email": alice.email}, secure=True
    )

    assert re.findall(r"(https?://\S+?)/accounts/", str(mail.outbox[-1].body)) == [PUBLIC]


def test_a_host_that_is_not_allowed_is_refused() -> None:
    answer = Client(headers={"host": "evil.example"}).get("/healthz", secure=True)

    assert answer.status_code == 400


def test_plain_http_is_led_to_this_site_too(settings: SettingsWrapper) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = Client(headers={"host": "localhost:6666"}).get("/")

    assert answer["Location"] == f"{PUBLIC}/"


def test_each_local_name_stays_what_it_is(settings: SettingsWrapper) -> None:
    settings.VL_PUBLIC_URL = "http://127.0.0.1:8000"
    settings.VL_ORIGINS = ["http://127.0.0.1:8000", "http://localhost:8000"]
    settings.SECURE_SSL_REDIRECT = True

    answer = Client(headers={"host": "localhost:8000"}).get("/")

    assert answer["Location"] == "https://localhost:8000/"


def test_a_refused_host_leaves_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    answer = Client(headers={"host": "evil.example"}).get("/")

    (record,) = (each for each in caplog.records if each.name == "django.security.DisallowedHost")
    assert answer.status_code == 400
    assert "evil.example" in record.getMessage()
    assert record.exc_info is None
