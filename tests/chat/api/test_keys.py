"""API keys: over HTTP, on the event stream and on the socket, within their scope and their time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import AsyncClient, Client
from django.utils import timezone

from chat import session_watch
from chat.key_sign_in import credential_of, key_in
from chat.models import ApiKey, Conversation
from chat.services import api_keys
from tests.chat.api.conftest import code_of
from tests.chat.conftest import DEADLINE_S, Socket, session_cookie
from tests.chat.factories import a_turn
from vlsite.asgi import application

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

    from tests.chat.conftest import Stage

CHAT, READ = ApiKey.Scope.CHAT, ApiKey.Scope.READ
LIST = "/api/conversations/"


def a_key(owner: User, scope: ApiKey.Scope = CHAT) -> str:
    """Make a key; give its text."""
    return api_keys.issue(owner, name="script", scope=scope, days=30)[1]


def with_key(text: str, **options: Any) -> Client:
    """Give a program that presents this key and has no cookie."""
    return Client(headers={"authorization": f"Bearer {text}"}, **options)


def a_path(user: User) -> str:
    """Give the address of a conversation of this person."""
    return f"{LIST}{a_turn(user).conversation.pk}/"


@pytest.mark.django_db
def test_a_key_reads_what_is_its_persons(alice: User, bob: User) -> None:
    a_turn(alice)
    a_turn(bob)

    listed = with_key(a_key(alice)).get(LIST).json()

    assert listed["total"] == 1


@pytest.mark.django_db
def test_a_key_changes_without_a_csrf_token(alice: User) -> None:
    path = a_path(alice)

    answer = with_key(a_key(alice), enforce_csrf_checks=True).patch(
        path, {"title": "By a script"}, content_type="application/json"
    )

    assert answer.status_code == 200
    assert Conversation.objects.get().title == "By a script"


@pytest.mark.django_db
def test_a_key_to_read_changes_nothing(alice: User) -> None:
    path = a_path(alice)
    client = with_key(a_key(alice, READ))

    answers = [
        client.patch(path, {"title": "x"}, content_type="application/json"),
        client.delete(path),
        client.post(LIST, {"text": "And now?"}, content_type="application/json"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert client.get(path).status_code == 200


@pytest.mark.django_db
def test_others_things_look_like_missing_ones(alice: User, bob: User) -> None:
    answer = with_key(a_key(alice)).get(a_path(bob))

    assert (answer.status_code, code_of(answer)) == (404, "conversation_not_found")


def _expire(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def _deactivate(key: ApiKey) -> None:
    key.owner.is_active = False
    key.owner.save()


def _delete_owner(key: ApiKey) -> None:
    key.owner.delete()


ENDINGS = [
    pytest.param(api_keys.revoke, id="revoked"),
    pytest.param(_expire, id="expired"),
    pytest.param(_deactivate, id="of somebody deactivated"),
    pytest.param(_delete_owner, id="of somebody deleted"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("end", ENDINGS)
def test_a_key_that_is_over_opens_nothing(alice: User, end: Callable[[ApiKey], None]) -> None:
    key, text = api_keys.issue(alice, name="script", scope=CHAT, days=30)
    end(key)

    answer = with_key(text).get(LIST)

    assert (answer.status_code, code_of(answer)) == (401, "unauthenticated")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer vlk_x", "bearer é", "Bearer " + "x" * 4000]
)
def test_a_made_up_key_opens_nothing(alice: User, header: str) -> None:
    client = Client(headers={"authorization": header})
    client.force_login(alice)  # nor does a cookie beside it

    answer = client.get(LIST)

    assert (answer.status_code, code_of(answer)) == (401, "unauthenticated")


@pytest.mark.django_db
def test_another_scheme_is_not_a_key(alice: User) -> None:
    client = Client(headers={"authorization": "Basic abc"})
    client.force_login(alice)

    assert client.get(LIST).status_code == 200


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer abc", "abc"),
        ("BEARER  abc ", "abc"),
        ("Bearer", ""),
        ("Basic abc", None),
        ("", None),
    ],
)
def test_the_header_is_read_as_http_says(header: str, key: str | None) -> None:
    assert key_in(header) == key


@pytest.mark.django_db
def test_its_use_is_noted_once_a_minute(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    text = a_key(alice)

    with django_assert_num_queries(2):
        assert api_keys.find(text) is not None
    with django_assert_num_queries(1):
        assert api_keys.find(text) is not None

    assert ApiKey.objects.get().last_used_at is not None


@pytest.mark.django_db
def test_the_key_opens_no_page(alice: User) -> None:
    """Only the API: what it may do is less than what its person may."""
    client = with_key(a_key(alice))

    assert [client.get(path).status_code for path in ("/", "/accounts/keys/")] == [302, 302]


# The watch ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_watch_knows_keys_and_sessions(alice: User, bob: User) -> None:
    key, _text = api_keys.issue(alice, name="script", scope=CHAT, days=30)
    pairs = {(credential_of(key), alice.pk), (session_cookie(bob), bob.pk)}

    assert session_watch._still_valid(pairs) == pairs


@pytest.mark.django_db
@pytest.mark.parametrize("end", ENDINGS)
def test_the_watch_sees_every_end_of_a_key(alice: User, end: Callable[[ApiKey], None]) -> None:
    key, _text = api_keys.issue(alice, name="script", scope=CHAT, days=30)
    pair = (credential_of(key), alice.pk)
    end(key)

    assert session_watch._still_valid({pair}) == set()


@pytest.mark.django_db(transaction=True)
async def test_an_event_stream_ends_with_its_key(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_watch, "WATCH_S", 0.05)
    stage.gate.close()
    turn = await sync_to_async(a_turn)(alice)
    key = await sync_to_async(a_key)(alice, READ)
    answer: Any = await AsyncClient().get(
        f"/api/replies/{turn.reply.pk}/events/", headers={"authorization": f"Bearer {key}"}
    )

    await ApiKey.objects.all().adelete()
    said = b"".join([piece async for piece in answer])

    assert b'"unauthenticated"' in said


# The socket ---------------------------------------------------------------------------------


async def handshake(text: str, *more: tuple[bytes, bytes]) -> WebsocketCommunicator:
    """Open a socket as a program does: with a key, without an Origin."""
    headers = [(b"authorization", f"Bearer {text}".encode()), *more]
    communicator = WebsocketCommunicator(application, "/ws/chat/", headers=headers)
    is_accepted, _ = await communicator.connect(timeout=DEADLINE_S)
    assert is_accepted
    return communicator


@pytest.mark.django_db(transaction=True)
async def test_a_key_opens_a_socket_that_asks(stage: Stage, alice: User) -> None:
    communicator = await handshake(await sync_to_async(a_key)(alice))
    socket = Socket(communicator)
    await socket.until("info")

    accepted = await socket.ask("What is this?")
    text, final = await socket.read_reply(accepted["reply"])

    assert final["content"].startswith(text)
    await communicator.disconnect()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["made up", "to read"])
async def test_any_other_key_opens_none(stage: Stage, alice: User, kind: str) -> None:
    text = await sync_to_async(a_key)(alice, READ) if kind == "to read" else "vlk_made_up"
    cookie = f"{settings.SESSION_COOKIE_NAME}={await sync_to_async(session_cookie)(alice)}"
    communicator = await handshake(text, (b"cookie", cookie.encode()))

    assert await Socket(communicator).close_code() == 4401


@pytest.mark.django_db(transaction=True)
async def test_a_revoked_key_closes_its_socket(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_watch, "WATCH_S", 0.05)
    communicator = await handshake(await sync_to_async(a_key)(alice))
    socket = Socket(communicator)
    await socket.until("info")

    await ApiKey.objects.all().adelete()

    assert (await socket.until("error"))["code"] == "unauthenticated"
    assert await socket.close_code() == 4401
