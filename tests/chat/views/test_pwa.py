"""What makes the page an app: the manifest, its icons, the service worker, the offline page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from chat.views.pwa import ICONS
from tests.contract.documents import ROOT

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_manifest_speaks_the_readers_language(language: str) -> None:
    response = Client(headers={"accept-language": language}).get(reverse("chat:manifest"))
    manifest = response.json()

    assert response.headers["Content-Type"] == "application/manifest+json"
    assert "Accept-Language" in response.headers["Vary"]
    assert (manifest["lang"], manifest["start_url"], manifest["scope"]) == (language, "/", "/")
    assert manifest["description"].startswith({"en": "A live", "zh-hans": "与您"}[language])


@pytest.mark.parametrize(("name", "sizes", "_purpose"), ICONS)
def test_an_icon_is_as_large_as_the_manifest_says(name: str, sizes: str, _purpose: str) -> None:
    with Image.open(ROOT / "chat/static/chat/img" / name) as icon:
        assert f"{icon.width}x{icon.height}" == sizes


def test_the_service_worker_is_asked_for_anew_and_may_do_little() -> None:
    response = Client().get(reverse("chat:service_worker"))
    policy = response.headers["Content-Security-Policy"]

    assert response.headers["Content-Type"] == "text/javascript"
    assert response.headers["Cache-Control"] == "no-cache"
    assert b"addEventListener" in response.content
    assert "script-src 'self'" in policy
    assert "worker-src 'self'" in policy


def test_the_offline_page_is_nobodys(alice: User) -> None:
    client = Client()
    client.force_login(alice)

    page = client.get(reverse("chat:offline")).content.decode()

    assert "No network" in page
    assert alice.username not in page


def test_a_page_says_whose_it_is_without_naming_anybody(alice: User, bob: User) -> None:
    def person(user: User) -> str:
        client = Client()
        client.force_login(user)
        return client.get("/").headers["X-VL-Person"]

    assert person(alice) == person(alice)
    assert person(alice) != person(bob)
    assert alice.username not in person(alice)
