"""Health: the process lives; ready means that a question would be answered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError

from chat.generation import local
from vlsite import health

if TYPE_CHECKING:
    from django.test import Client


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Have a model that is ready."""
    runner = SimpleNamespace(is_ready=True)
    monkeypatch.setattr(local, "runner", lambda: runner)
    return runner


def test_a_living_process_is_healthy(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")


def test_health_needs_no_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "connection", _BrokenConnection())

    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_ready_when_everything_is(client: Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "ready": True, "draining": False,
        "database": True, "channel_layer": True, "model": True,
    }  # fmt: skip


@pytest.mark.django_db
def test_not_ready_before_the_model_is(client: Client, model: SimpleNamespace) -> None:
    model.is_ready = False

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {
        "ready": False, "draining": False,
        "database": True, "channel_layer": True, "model": False,
    }  # fmt: skip


def test_not_ready_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "connection", _BrokenConnection())

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"] is False


@pytest.mark.django_db
def test_not_ready_without_a_channel_layer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "get_channel_layer", lambda: None)

    assert client.get("/readyz").json()["channel_layer"] is False


@pytest.mark.django_db
def test_not_ready_while_it_drains(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.drain, "is_draining", True)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["draining"] is True


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_never_cached(client: Client, path: str) -> None:
    assert "no-store" in client.get(path)["Cache-Control"]


class _BrokenConnection:
    """A database that does not answer."""

    def cursor(self) -> None:
        """Fail as Django does."""
        raise OperationalError("injected")
