"""Every address of the site, whoever asks, answers with the headers that browsers hold to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from tests.conftest import PASSWORD
from tests.vlsite.url_map import Route, routes

if TYPE_CHECKING:
    from django.http import HttpResponseBase
    from pytest_django.fixtures import SettingsWrapper

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

ROUTES = routes()
OF_NOBODY = ("manifest.webmanifest", "sw.js", "offline/", "admin/jsi18n/")


@pytest.fixture
def administrator() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", password=PASSWORD))
    return client


def policy_of(response: HttpResponseBase) -> dict[str, list[str]]:
    """Read the policy's directives."""
    parts = [part.split() for part in response["Content-Security-Policy"].split(";")]
    return {name: values for name, *values in parts}


def check_headers(response: HttpResponseBase) -> None:
    """Check what no answer may lack."""
    policy = policy_of(response)
    assert policy["default-src"] == ["'none'"]
    assert not re.search(r"unsafe|\*|https?:", response["Content-Security-Policy"])
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert "camera=()" in response["Permissions-Policy"]


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_nobody_gets_an_answer_without_them(route: Route, client: Client) -> None:
    check_headers(client.get(route.example()))


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_an_administrator_gets_none_either(route: Route, administrator: Client) -> None:
    response = administrator.get(route.example())

    check_headers(response)
    has_types = "require-trusted-types-for" in policy_of(response)
    assert has_types is not route.is_admin or "sandbox" in policy_of(response)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_what_is_somebodys_is_not_kept(route: Route, administrator: Client) -> None:
    said = administrator.get(route.example())["Cache-Control"]

    assert "no-store" in said or said.startswith("private") or route.pattern in OF_NOBODY


def test_a_page_makes_markup_by_one_policy_alone(administrator: Client) -> None:
    policy = policy_of(administrator.get("/"))

    assert policy["require-trusted-types-for"] == ["'script'"]
    assert policy["trusted-types"] == ["chat"]


def test_behind_https_browsers_are_told_to_stay_there(
    client: Client, settings: SettingsWrapper
) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000

    response = client.get("/healthz", secure=True)

    assert response["Strict-Transport-Security"] == "max-age=31536000"


def test_what_is_answered_before_any_view_has_them_too() -> None:
    """Static files, redirects to HTTPS and refused hosts end in middleware further in."""
    assert settings.MIDDLEWARE[0] == "vlsite.response_headers.ResponseHeaders"


def test_a_refused_host_is_answered_with_them(client: Client) -> None:
    response = client.get("/healthz", headers={"host": "evil.example"})

    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
