"""The administrator from the environment: made once, and never a second thought about it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

NAMES = ("USERNAME", "PASSWORD", "PASSWORD_FILE", "EMAIL")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Begin with nothing set."""
    for name in NAMES:
        monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)
    return monkeypatch


def ensure(environment: pytest.MonkeyPatch, **variables: str) -> str:
    """Run the command with these variables; give what it says."""
    for name, value in variables.items():
        environment.setenv(f"DJANGO_SUPERUSER_{name}", value)
    said = io.StringIO()
    call_command("ensure_administrator", stdout=said)
    return said.getvalue()


def test_the_administrator_is_made(environment: pytest.MonkeyPatch) -> None:
    said = ensure(environment, USERNAME="carol", PASSWORD=PASSWORD, EMAIL="carol@example.org")

    carol = get_user_model().objects.get()
    assert (carol.is_staff, carol.is_superuser) == (True, True)
    assert carol.check_password(PASSWORD)
    assert carol.email == "carol@example.org"
    assert "carol" in said
    assert PASSWORD not in said


def test_the_password_may_stand_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")

    ensure(environment, USERNAME="carol", PASSWORD_FILE=str(tmp_path / "password"))

    assert get_user_model().objects.get().check_password(PASSWORD)


def test_running_it_again_changes_nothing(environment: pytest.MonkeyPatch) -> None:
    ensure(environment, USERNAME="carol", PASSWORD=PASSWORD)

    said = ensure(environment, USERNAME="carol", PASSWORD="another long secret")

    assert get_user_model().objects.get().check_password(PASSWORD)
    assert said == ""


def test_an_ordinary_account_of_that_name_gets_no_rights(
    environment: pytest.MonkeyPatch, alice: User
) -> None:
    ensure(environment, USERNAME="alice", PASSWORD="another long secret")

    alice.refresh_from_db()
    assert not alice.is_superuser
    assert alice.check_password(PASSWORD)


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"USERNAME": "carol"}, id="no password"),
        pytest.param({"PASSWORD": PASSWORD}, id="no name"),
    ],
)
def test_without_name_and_password_nothing_is_done(
    environment: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    ensure(environment, **variables)

    assert not get_user_model().objects.exists()
