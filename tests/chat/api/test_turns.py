"""Turns over HTTP: the frames' own fields, rules and refusals."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chat.models import Message, Reply
from chat.protocol import MAX_FRAME_BYTES
from chat.services import turns
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.conftest import png
from tests.chat.factories import a_picture, a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

DATA_URL = "data:image/png;base64," + base64.b64encode(png()).decode()
NOBODYS = "00000000-0000-4000-8000-000000000000"


def post(user: User | None, path: str, body: object = None, **options: Any) -> Any:
    """Post JSON, or a body as it is."""
    content = body if isinstance(body, bytes) else json.dumps({} if body is None else body)
    return browser_of(user, **options).post(path, content, content_type="application/json")


def ask(user: User | None, **fields: Any) -> Any:
    """Start a conversation."""
    return post(user, "/api/conversations/", fields)


def test_all_fields_of_the_frame_are_read(alice: User) -> None:
    picture = a_picture(alice)
    client_id = str(uuid.uuid4())

    response = ask(
        alice,
        text="What is this?",
        images=[str(picture.pk)],
        image=DATA_URL,
        id=client_id,
        options={"seed": 7},
    )

    kept = response.json()
    reply = Reply.objects.get(pk=kept["reply"])
    assert response.status_code == 202
    assert kept.keys() == {"id", "conversation", "message", "reply", "title"}
    assert (kept["id"], kept["title"]) == (client_id, "What is this?")
    assert reply.options["seed"] == 7
    assert Message.objects.get(pk=kept["message"]).images.count() == 2


def test_the_same_id_twice_starts_one_turn(alice: User) -> None:
    client_id = str(uuid.uuid4())

    answers = [ask(alice, text="What is this?", id=client_id).json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert Reply.objects.count() == 1


def test_a_turn_hangs_on_the_parent_that_was_named(alice: User) -> None:
    first = a_turn(alice)
    end_reply(first.reply, "A circle.")
    second = turns.start_turn(
        alice, turns.Question(text="And?", conversation_id=first.conversation.pk)
    )
    end_reply(second.reply, "A square.")

    response = post(
        alice,
        f"/api/conversations/{first.conversation.pk}/turns/",
        {"text": "Or?", "parent": str(first.reply.pk)},
    )

    assert Message.objects.get(pk=response.json()["message"]).parent_id == first.reply.pk


@pytest.mark.parametrize("end", ["", "turns/"], ids=["new conversation", "in a conversation"])
def test_the_address_decides_about_the_conversation(alice: User, end: str) -> None:
    turn = a_turn(alice)
    end_reply(turn.reply, "A circle.")
    place = f"{turn.conversation.pk}/turns/" if end else ""

    response = post(alice, f"/api/conversations/{place}", {"text": "And?", "conversation": NOBODYS})

    assert response.status_code == 202
    assert (response.json()["conversation"] == str(turn.conversation.pk)) is bool(end)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"{", "bad_frame", id="not JSON"),
        pytest.param(b"[]", "bad_frame", id="not an object"),
        pytest.param(b"\xff", "bad_frame", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "bad_frame", id="nested"),
        pytest.param(b" " * (MAX_FRAME_BYTES + 1), "bad_frame", id="over 1 MiB"),
        pytest.param(b" " * 3_000_000, "bad_frame", id="over what Django reads"),
        pytest.param({}, "empty_text", id="empty"),
        pytest.param({"text": 7}, "bad_frame", id="a number as text"),
        pytest.param({"text": "\x00"}, "bad_frame", id="not text"),
        pytest.param({"text": "x" * 8001}, "text_too_long", id="too long"),
        pytest.param({"text": "?", "images": ["x"]}, "image_not_found", id="no such picture"),
        pytest.param({"text": "?", "parent": NOBODYS}, "message_not_found", id="no such parent"),
        pytest.param({"text": "?", "options": {"top_p": 2}}, "bad_frame", id="bad option"),
        pytest.param({"text": "?", "id": "x"}, "bad_frame", id="bad id"),
    ],
)
def test_what_a_socket_refuses_is_refused_here_too(alice: User, body: Any, code: str) -> None:
    response = post(alice, "/api/conversations/", body)

    assert code_of(response) == code
    assert not Reply.objects.exists()


def test_a_question_while_an_answer_is_written_is_refused(alice: User) -> None:
    turn = a_turn(alice)

    response = post(alice, f"/api/conversations/{turn.conversation.pk}/turns/", {"text": "And?"})

    assert (response.status_code, code_of(response)) == (409, "already_running")


def test_a_full_queue_says_when_to_come_again(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_QUEUE_REPLIES = 1
    a_turn(alice)

    response = ask(alice, text="And?")

    assert (response.status_code, code_of(response)) == (503, "queue_full")
    assert response["Retry-After"] == "10"


# Stopping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", {}, {"seen": 0}], ids=["nothing", "empty", "seen"])
def test_a_waiting_reply_stops_at_once_and_stopping_twice_is_harmless(
    alice: User, body: Any
) -> None:
    turn = a_turn(alice)

    answers = [post(alice, f"/api/replies/{turn.reply.pk}/stop/", body) for _ in range(2)]

    turn.reply.refresh_from_db()
    assert [(each.status_code, each.content) for each in answers] == [(202, b"")] * 2
    assert turn.reply.state == Reply.State.STOPPED


def test_a_bad_offset_stops_nothing(alice: User) -> None:
    turn = a_turn(alice)

    response = post(alice, f"/api/replies/{turn.reply.pk}/stop/", {"seen": -1})

    turn.reply.refresh_from_db()
    assert (response.status_code, code_of(response)) == (400, "bad_frame")
    assert turn.reply.state == Reply.State.QUEUED


# Strangers ----------------------------------------------------------------------------------

CALLS = [
    pytest.param("post", "/api/conversations/{conversation}/turns/", id="turn"),
    pytest.param("post", "/api/replies/{reply}/stop/", id="stop"),
    pytest.param("get", "/api/replies/{reply}/events/", id="events"),
]


def call(user: User | None, method: str, path: str) -> Any:
    """Make a call that could do something."""
    if method == "get":
        return browser_of(user).get(path)
    return post(user, path, {"text": "What is this?"})


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_somebody_elses_is_a_missing_one_byte_for_byte(
    alice: User, bob: User, method: str, path: str
) -> None:
    turn = a_turn(alice)

    others = call(bob, method, path.format(conversation=turn.conversation.pk, reply=turn.reply.pk))
    nobodys = call(bob, method, path.format(conversation=NOBODYS, reply=NOBODYS))

    assert (others.status_code, others.content) == (404, nobodys.content)
    assert others.headers == nobodys.headers
    assert Reply.objects.open().count() == 1


@pytest.mark.parametrize(("method", "path"), [*CALLS, ("post", "/api/conversations/")])
def test_nobody_is_told_to_sign_in(alice: User, method: str, path: str) -> None:
    turn = a_turn(alice)

    response = call(
        None, method, path.format(conversation=turn.conversation.pk, reply=turn.reply.pk)
    )

    assert (response.status_code, code_of(response)) == (401, "unauthenticated")


def test_a_page_of_another_site_cannot_ask(alice: User) -> None:
    response = post(alice, "/api/conversations/", {"text": "?"}, enforce_csrf_checks=True)

    assert response.status_code == 403
    assert not Reply.objects.exists()


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param({"offset": "-1"}, {}, id="negative"),
        pytest.param({"offset": "x"}, {}, id="not a number"),
        pytest.param({}, {"Last-Event-ID": "x"}, id="not an event of ours"),
    ],
)
def test_a_stream_cannot_begin_nowhere(
    alice: User, query: dict[str, str], headers: dict[str, str]
) -> None:
    turn = a_turn(alice)

    response = browser_of(alice).get(
        f"/api/replies/{turn.reply.pk}/events/", query, headers=headers
    )

    assert (response.status_code, code_of(response)) == (400, "bad_frame")


def test_other_versions_are_asked_for_as_over_a_socket(alice: User, bob: User) -> None:
    turn = a_turn(alice, "What is this?", image_ids=[a_picture(alice).pk])
    end_reply(turn.reply, "A circle.")
    again, edit = (
        f"/api/replies/{turn.reply.pk}/regenerate/",
        f"/api/messages/{turn.message.pk}/edit/",
    )

    first = post(alice, again, {"options": {"seed": 7}})

    assert first.status_code == 202
    assert first.json()["message"] == str(turn.message.pk)
    reply = Reply.objects.get(pk=first.json()["reply"])
    assert reply.options["seed"] == 7
    running = post(alice, edit, {"text": "And that?"})
    assert (running.status_code, code_of(running)) == (409, "already_running")
    end_reply(reply, "A ball.")
    second = post(alice, edit, {"text": "And that?", "message": NOBODYS})
    assert second.status_code == 202
    edited = Message.objects.get(pk=second.json()["message"])
    assert (edited.text, edited.parent_id) == ("And that?", None)
    assert edited.images_in_order() == turn.message.images_in_order()
    for path in (again, edit):
        refused = post(bob, path, {"text": "And that?"})
        assert (refused.status_code, code_of(refused)) == (404, "message_not_found")
    assert post(alice, edit, {"text": 1}).status_code == 400


def test_a_message_is_deleted_with_what_came_after(alice: User) -> None:
    first, second = (a_turn(alice, text) for text in ("One?", "Alone?"))
    end_reply(first.reply, "A circle.")
    later = a_turn(alice, "Two?", conversation_id=first.conversation.pk)
    browser = browser_of(alice)

    left = browser.delete(f"/api/messages/{later.message.pk}/")
    alone = browser.delete(f"/api/messages/{second.reply.pk}/")
    again = browser.delete(f"/api/messages/{later.message.pk}/")

    assert (left.status_code, left.json()) == (200, {"conversation": str(first.conversation.pk)})
    assert (alone.status_code, alone.json()) == (200, {"conversation": None})
    assert (again.status_code, code_of(again)) == (404, "message_not_found")
    assert [each.text for each in Message.objects.filter(role="user")] == ["One?", "Alone?"]
