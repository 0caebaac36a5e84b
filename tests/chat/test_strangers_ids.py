"""Somebody else's id looks exactly like a missing one: every route and every frame with an id.

The routes come from the API's own description and the URL configuration, the frames from the
protocol: one that this table does not know fails a test.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.test import Client

from chat import protocol
from chat.api import api
from chat.models import ApiKey, Message
from tests.chat.conftest import connected
from tests.chat.possessions import NOBODYS, Possessions, possessions_of, rows_of_all
from tests.vlsite.url_map import routes

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

    from tests.chat.conftest import Stage

pytestmark = pytest.mark.slow

TURN = {"text": "What is this?"}
# What each call of the API with an id in its address is sent; which possession its id names.
CALLS: dict[tuple[str, str], tuple[str, Any]] = {
    ("GET", "/api/images/{image_id}/"): ("image", None),
    ("GET", "/api/images/{image_id}/price/"): ("image", None),
    ("GET", "/api/documents/{document_id}/"): ("document", None),
    ("DELETE", "/api/documents/{document_id}/"): ("document", None),
    ("GET", "/api/documents/{document_id}/pages/{number}/"): ("document", None),
    ("POST", "/api/documents/{document_id}/pages/"): ("document", {"pages": [1]}),
    ("POST", "/api/documents/{document_id}/runs/"): ("document", {"pages": [1]}),
    ("GET", "/api/runs/{run_id}/"): ("run", None),
    ("POST", "/api/runs/{run_id}/stop/"): ("run", {}),
    ("POST", "/api/runs/{run_id}/continue/"): ("run", {}),
    ("GET", "/api/runs/{run_id}/export/"): ("run", None),
    ("GET", "/api/conversations/{conversation_id}/"): ("conversation", None),
    ("PATCH", "/api/conversations/{conversation_id}/"): ("conversation", {"title": "taken"}),
    ("DELETE", "/api/conversations/{conversation_id}/"): ("conversation", None),
    ("POST", "/api/conversations/{conversation_id}/restore/"): ("deleted_conversation", {}),
    ("GET", "/api/conversations/{conversation_id}/messages/"): ("conversation", None),
    ("GET", "/api/conversations/{conversation_id}/export/"): ("conversation", None),
    ("POST", "/api/conversations/{conversation_id}/turns/"): ("conversation", TURN),
    ("POST", "/api/messages/{message_id}/edit/"): ("message", TURN),
    ("DELETE", "/api/messages/{message_id}/"): ("message", None),
    ("POST", "/api/replies/{reply_id}/regenerate/"): ("reply", {}),
    ("PATCH", "/api/presets/{preset_id}/"): ("preset", {"name": "taken"}),
    ("DELETE", "/api/presets/{preset_id}/"): ("preset", None),
    ("GET", "/api/replies/{reply_id}/events/"): ("reply", None),
    ("GET", "/api/replies/{reply_id}/blocks/"): ("reply", None),
    ("POST", "/api/replies/{reply_id}/continue/"): ("reply", {}),
    ("POST", "/api/replies/{reply_id}/stop/"): ("reply", {}),
    ("POST", "/api/replies/{reply_id}/feedback/"): ("reply", {"value": 1}),
    ("DELETE", "/api/replies/{reply_id}/feedback/"): ("reply", None),
}
# Reviewers may see pictures, in transcripts.
REVIEWED = {("GET", "/api/images/{image_id}/"), ("GET", "/api/images/{image_id}/price/")}
# Ids inside of bodies: which call, which field, which possession.
IN_BODIES: list[tuple[str, dict[str, Any], str]] = [
    ("/api/conversations/", {**TURN, "images": ["{image}"]}, "image"),
    ("/api/conversations/", {**TURN, "parent": "{reply}"}, "reply"),
]
PAGES = {
    "c/<uuid:conversation_id>/",
    "c/<uuid:conversation_id>/messages/<uuid:message_id>/",
    "c/<uuid:conversation_id>/messages/<uuid:message_id>/earlier/",
}
# What signs a person in: sessions, API keys, passkeys.
ACCOUNT_PAGES = {
    "accounts/sessions/<int:session_id>/end/",
    "accounts/keys/<uuid:key_id>/revoke/",
    "accounts/2fa/webauthn/keys/<int:pk>/edit/",
    "accounts/2fa/webauthn/keys/<int:pk>/remove/",
}
# Keys in links of mails and invitations: secrets, not ids.
SECRETS = {
    "accounts/invitation/<str:token>/",
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$",
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
}
THERE, NOT_THERE = 987654321, 987654322  # of one length: it shows in the answer's
# The names of providers, which the sign-in page shows.
NAMES = {
    "accounts/oidc/^(?P<provider_id>[^/]+)/login/",
    "accounts/oidc/^(?P<provider_id>[^/]+)/login/callback/",
}
OTHERS = ["nobody", "stranger", "reviewer", "administrator"]


@pytest.fixture(autouse=True)
def _media(settings: SettingsWrapper, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def hers(alice: User) -> Possessions:
    return possessions_of(alice)


@pytest.fixture
def administrator(db: None) -> User:
    return get_user_model().objects.create_superuser("root")


@pytest.fixture
def people(alice: User, bob: User, carol: User, administrator: User) -> dict[str, User | None]:
    """Give everybody by their part."""
    return {
        "nobody": None,
        "owner": alice,
        "stranger": bob,
        "reviewer": carol,
        "administrator": administrator,
    }


def send(person: User | None, method: str, path: str, body: Any) -> tuple[int, str, str]:
    """Call, and give the answer without what differs from call to call: ids and CSRF tokens."""
    client = Client(headers={"accept-language": "en"})
    if person is not None:
        client.force_login(person)
    response = client.generic(method, path, _json(body), content_type="application/json")
    if response.streaming:
        return response.status_code, "", ""
    text = response.content.decode(errors="replace")
    text = re.sub(r'(csrfmiddlewaretoken" value=)"\w+"', r"\1", text)
    del response["Expires"]  # says what time it is
    headers = "\n".join(f"{name}: {value}" for name, value in sorted(response.items()))
    return response.status_code, _without_ids(headers), _without_ids(text)


def _json(body: Any) -> str:
    return "" if body is None else json.dumps(body, default=str)


def _without_ids(text: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|98765432\d", "ID", text)


def path_of(template: str, wanted: uuid.UUID) -> str:
    """Fill an address of the API."""
    return re.sub(r"\{(\w+)\}", lambda m: "1" if m[1] == "number" else str(wanted), template)


# Routes -------------------------------------------------------------------------------------


def test_the_table_knows_every_call_with_an_id() -> None:
    described: Any = api.get_openapi_schema()["paths"]
    found = {
        (method.upper(), path)
        for path, operations in described.items()
        for method in operations
        if "{" in path
    }

    assert found == set(CALLS)


def test_the_table_knows_every_page_with_an_id() -> None:
    with_ids = {
        route.pattern
        for route in routes()
        if route.parameters and not route.pattern.startswith(("api/", "admin/"))
    }

    assert with_ids == PAGES | SECRETS | ACCOUNT_PAGES | NAMES


@pytest.mark.parametrize("who", OTHERS)
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_somebody_elses_id_is_answered_like_a_missing_one(
    people: dict[str, User | None], hers: Possessions, call: tuple[str, str], who: str
) -> None:
    method, template = call
    kind, body = CALLS[call]
    before = rows_of_all()

    answer = send(people[who], method, path_of(template, getattr(hers, kind)), body)
    missing = send(people[who], method, path_of(template, NOBODYS), body)

    assert rows_of_all() == before
    if call in REVIEWED and who in ("reviewer", "administrator"):
        assert (answer[0], missing[0]) == (200, 404)
    else:
        assert answer == missing
        assert answer[0] == (401 if who == "nobody" else 404)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_the_owner_is_let_in(
    stage: Stage, people: dict[str, User | None], hers: Possessions, call: tuple[str, str]
) -> None:
    """Without this the comparison would also hold for calls that refuse everybody."""
    kind, body = CALLS[call]

    status, _, _ = send(people["owner"], call[0], path_of(call[1], getattr(hers, kind)), body)

    assert 200 <= status < 300


@pytest.mark.parametrize("who", ["stranger", "reviewer", "administrator"])
@pytest.mark.parametrize(("path", "body", "kind"), IN_BODIES, ids=["images", "parent"])
def test_an_id_in_a_body_is_answered_like_a_missing_one(
    people: dict[str, User | None],
    hers: Possessions,
    path: str,
    body: dict[str, Any],
    kind: str,
    who: str,
) -> None:
    def with_id(wanted: uuid.UUID) -> Any:
        return json.loads(json.dumps(body).replace("{" + kind + "}", str(wanted)))

    answer = send(people[who], "POST", path, with_id(getattr(hers, kind)))

    assert answer == send(people[who], "POST", path, with_id(NOBODYS))
    assert answer[0] == 404


@pytest.mark.parametrize("who", OTHERS)
@pytest.mark.parametrize("pattern", sorted(PAGES))
def test_a_page_of_somebody_else_is_like_a_missing_one(
    people: dict[str, User | None], hers: Possessions, pattern: str, who: str
) -> None:
    route = next(route for route in routes() if route.pattern == pattern)
    hers_path = route.filled(conversation_id=hers.conversation, message_id=hers.message)
    missing_path = route.filled(conversation_id=NOBODYS, message_id=NOBODYS)

    answer = send(people[who], "GET", hers_path, None)

    assert answer == send(people[who], "GET", missing_path, None)
    assert send(people["owner"], "GET", hers_path, None)[0] == 200


def credentials_of(owner: User) -> ApiKey:
    """Give somebody a session and a passkey with a known number, and an API key."""
    UserSession.objects.create(
        id=THERE, user=owner, session_key="secret", ip="127.0.0.1", user_agent="a browser"
    )
    Authenticator.objects.create(id=THERE, user=owner, type=Authenticator.Type.WEBAUTHN, data={})
    return ApiKey.objects.create(owner=owner, name="a key", prefix="p", digest="0" * 64)


@pytest.mark.parametrize("who", ["nobody", "stranger", "administrator"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("pattern", sorted(ACCOUNT_PAGES))
def test_what_signs_somebody_else_in_is_like_a_missing_one(
    people: dict[str, User | None], alice: User, pattern: str, method: str, who: str
) -> None:
    key = credentials_of(alice)
    route = next(route for route in routes() if route.pattern == pattern)
    hers = route.filled(session_id=THERE, pk=THERE, key_id=key.pk)
    missing = route.filled(session_id=NOT_THERE, pk=NOT_THERE, key_id=NOBODYS)

    answer = send(people[who], method, hers, None)

    assert answer == send(people[who], method, missing, None)
    assert UserSession.objects.filter(pk=THERE).exists()
    assert Authenticator.objects.filter(pk=THERE).exists()
    assert ApiKey.objects.filter(pk=key.pk).exists()


# Frames -------------------------------------------------------------------------------------

# Each frame's field that holds an id: the frame to send, and which possession the field names.
FRAMES: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
    ("message", "conversation"): (TURN, "conversation"),
    ("message", "parent"): (TURN, "reply"),
    ("message", "images"): (TURN, "image"),
    ("regenerate", "reply"): ({}, "reply"),
    ("edit", "message"): (TURN, "message"),
    ("edit", "images"): (TURN, "image"),
    ("continue", "reply"): ({}, "reply"),
    ("stop", "reply"): ({}, "reply"),
    ("resume", "reply"): ({"offset": 0}, "reply"),
    ("open", "conversation"): ({}, "conversation"),
    ("close", "conversation"): ({}, "conversation"),
}
CLIENT_FRAMES = dict(
    zip(protocol.CLIENT_FRAME_TYPES, typing.get_args(protocol.ClientFrame), strict=True)
)


def test_the_table_knows_every_id_in_a_frame() -> None:
    """`id` is the client's own, and pictures are references that may also be data."""
    found = {
        (kind, field.name)
        for kind, frame in CLIENT_FRAMES.items()
        for field in dataclasses.fields(frame)
        if field.name == "images" or ("UUID" in str(field.type) and field.name != "id")
    }

    assert found == set(FRAMES)


def a_question_of(person: User) -> uuid.UUID:
    """Find or make a question of this person's own, to be edited."""
    found = Message.objects.filter(author=person).first()
    return found.pk if found else possessions_of(person).message


async def answers(person: User, kind: str, field: str, wanted: object) -> list[Any]:
    """Send the frame with this id on a new socket; give all that comes back, without ids."""
    body, _ = FRAMES[kind, field]
    value = [str(wanted)] if field == "images" else str(wanted)
    own: dict[str, Any] = {}
    if (kind, field) == ("edit", "images"):
        own["message"] = await sync_to_async(a_question_of)(person)
    found: list[Any] = []
    async with connected(person) as socket:
        await socket.send(**{"type": kind, **body, **own, field: value})
        await socket.send(type="ping", t="over")
        while (frame := await socket.receive())["type"] != "pong":
            found.append(_without_ids(str(frame)))
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["stranger", "reviewer", "administrator"])
@pytest.mark.parametrize(("kind", "field"), FRAMES)
async def test_somebody_elses_id_in_a_frame_is_answered_like_a_missing_one(
    stage: Stage, people: dict[str, User], hers: Possessions, kind: str, field: str, who: str
) -> None:
    person = people[who]
    wanted = getattr(hers, FRAMES[kind, field][1])

    answer = await answers(person, kind, field, wanted)
    missing = await answers(person, kind, field, NOBODYS)

    assert answer == missing
    assert kind == "close" or "_not_found" in answer[0]
