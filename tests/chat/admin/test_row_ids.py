"""Ids of rows in the admin: for whom a model is not for, one that exists is like a missing one.

The routes are those of every model that is registered: one that this table has no row of fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.urls import resolve
from django.utils import timezone

from chat.models import Conversation, Image, Invitation, Reply
from tests.chat.possessions import NOBODYS, possessions_of
from tests.chat.test_strangers_ids import NOT_THERE, THERE, send
from tests.vlsite.url_map import Route, routes

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.db.models import Model
    from pytest_django.fixtures import SettingsWrapper

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MODELS: tuple[type[Model], ...] = (
    Authenticator, Conversation, EmailAddress, Group, Image, Invitation, Reply, SocialAccount,
    UserSession, get_user_model(),
)  # fmt: skip
WITH_IDS = [
    route for route in routes() if route.is_admin and {"id", "object_id"} & set(route.parameters)
]


@pytest.fixture(autouse=True)
def rows(alice: User, settings: SettingsWrapper, tmp_path: Path) -> dict[type[Model], Any]:
    """Give the id of a row of each model, as long as those that are missing."""
    settings.MEDIA_ROOT = tmp_path
    hers = possessions_of(alice)
    dave = get_user_model().objects.create_user("dave", id=THERE)
    made = [
        Authenticator.objects.create(id=THERE, user=dave, type="totp", data={}),
        EmailAddress.objects.create(id=THERE, user=dave, email="dave@example.org"),
        Group.objects.create(id=THERE, name="a group"),
        Invitation.objects.create(id=THERE, digest="0" * 64, expires_at=timezone.now()),
        SocialAccount.objects.create(id=THERE, user=dave, provider="oidc", uid="4711"),
        UserSession.objects.create(id=THERE, user=dave, session_key="s", ip="::1", user_agent="b"),
        dave,
    ]
    ours = {Conversation: hers.conversation, Image: hers.image, Reply: hers.reply}
    return {type(row): THERE for row in made} | ours


def model_of(route: Route) -> type[Model]:
    """Tell whose page it is."""
    label, name = route.pattern.split("/")[1:3]
    return next(m for m in MODELS if (m._meta.app_label, m._meta.model_name) == (label, name))


def staff(*rights: Permission) -> User:
    """Make a member of the staff who may do this."""
    person = get_user_model().objects.create_user("clerk", is_staff=True)
    person.user_permissions.set(rights)
    return person


def answers(person: User | None, route: Route, there: object) -> tuple[Any, Any]:
    """Give what this person is told of a row, and of none."""
    missing = NOT_THERE if there == THERE else NOBODYS
    first, second = (
        send(person, "GET", route.filled(object_id=each, id=each), None)
        for each in (there, missing)
    )
    return first, second


def test_the_table_has_a_row_of_each_model(rows: dict[type[Model], Any]) -> None:
    assert set(rows) == set(MODELS) == set(admin.site._registry)
    assert all(model.objects.filter(pk=key).exists() for model, key in rows.items())


@pytest.mark.parametrize("who", ["nobody", "owner", "stranger"])
@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_people_are_told_nothing(
    alice: User, bob: User, rows: dict[type[Model], Any], route: Route, who: str
) -> None:
    person = {"nobody": None, "owner": alice, "stranger": bob}[who]

    there, missing = answers(person, route, rows[model_of(route)])

    assert there == missing
    assert there[0] in (302, 403)


@pytest.mark.parametrize("rights", ["none", "to view all others", "to add"])
@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_staff_without_the_right_are_told_nothing(
    rows: dict[type[Model], Any], route: Route, rights: str
) -> None:
    model = model_of(route)
    name = str(model._meta.model_name)
    views = Permission.objects.filter(codename__startswith="view_")
    chosen = {
        "none": Permission.objects.none(),
        "to view all others": views.exclude(codename=f"view_{name}"),
        "to add": Permission.objects.filter(codename=f"add_{name}"),
    }

    there, missing = answers(staff(*chosen[rights]), route, rows[model])

    assert there == missing
    leads_on = route.pattern.endswith("/<path:object_id>/")
    assert there[0] == (302 if leads_on else 403)


@pytest.mark.parametrize("page", ["change", "history"])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_staff_with_the_right_are_let_in(
    rows: dict[type[Model], Any], model: type[Model], page: str
) -> None:
    """Without this the comparison would also hold for pages that refuse everybody."""
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{rows[model]}/{page}/"
    right = Permission.objects.get(codename=f"view_{model._meta.model_name}")

    assert send(staff(right), "GET", path, None)[0] == 200


def test_no_address_leads_from_numbers_to_rows_of_any_model() -> None:
    """Django's "view on site" used to tell all staff whether a row of any model exists."""
    assert resolve("/admin/r/1/1/").url_name is None
