"""Conversations over HTTP: list, search, rename, pin, archive, delete, read."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chat.models import Conversation, MessageImage
from chat.protocol import RegenerateFrame
from chat.services import conversations as conversation_service
from chat.services import questions
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.factories import a_picture, a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

    from chat.services.turns import Turn


@pytest.fixture
def turn(alice: User) -> Turn:
    return a_turn(alice, "What is *this*?")


def cards(user: User, **query: str) -> list[dict[str, Any]]:
    response = browser_of(user).get("/api/conversations/", query)
    assert response.status_code == 200
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def change(user: User | None, conversation_id: object, **wanted: Any) -> Any:
    return browser_of(user).patch(
        f"/api/conversations/{conversation_id}/",
        json.dumps(wanted),
        content_type="application/json",
    )


def test_a_card_tells_what_the_sidebar_shows(alice: User, turn: Turn) -> None:
    (card,) = cards(alice)

    assert card.pop("created_at").endswith("Z")
    assert card.pop("active_at").endswith("Z")
    assert card == {
        "id": str(turn.conversation.pk),
        "title": "What is *this*?",
        "pinned": False,
        "archived": False,
        "is_generating": True,
        "unread": False,
    }


def test_people_see_their_own_conversations_only(bob: User, turn: Turn) -> None:
    assert cards(bob) == []


@pytest.mark.parametrize("query", ["WHAT IS", "red square"])
def test_questions_and_answers_are_searched(alice: User, turn: Turn, query: str) -> None:
    end_reply(turn.reply, "A red square.")
    a_turn(alice, "Something else")

    assert [card["id"] for card in cards(alice, q=query)] == [str(turn.conversation.pk)]
    assert cards(alice, q="no such words") == []


def test_pages_are_counted(alice: User, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_service, "PAGE_SIZE", 2)
    a_turn(alice, "second")
    a_turn(alice, "third")

    page = browser_of(alice).get("/api/conversations/", {"page": 2}).json()

    assert [card["title"] for card in page.pop("items")] == ["What is *this*?"]
    assert page == {"page": 2, "pages": 2, "total": 3}


def test_a_page_costs_the_same_for_any_number_of_conversations(
    alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        a_turn(alice, f"question {number}")
    browser = browser_of(alice)

    with django_assert_max_num_queries(4):  # session, person, count, page
        browser.get("/api/conversations/")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"page": 0}, id="page-zero"),
        pytest.param({"page": "x"}, id="page-a-word"),
        pytest.param({"page": 10**9}, id="page-too-far"),
        pytest.param({"q": "x" * 201}, id="query-too-long"),
        pytest.param({"q": "a\x00b"}, id="query-with-nul"),
    ],
)
def test_malformed_queries_are_bad_frames(alice: User, query: dict[str, Any]) -> None:
    response = browser_of(alice).get("/api/conversations/", query)

    assert response.status_code == 400
    assert code_of(response) == "bad_frame"


@pytest.mark.parametrize(
    ("wanted", "field", "value"),
    [
        ({"title": " New  name "}, "title", "New name"),
        ({"title": "x" * 120}, "title", "x" * 120),
        ({"pinned": True}, "pinned", True),
        ({"archived": True}, "archived", True),
    ],
    ids=["title", "longest-title", "pinned", "archived"],
)
def test_an_owner_changes_a_conversation(
    alice: User, turn: Turn, wanted: dict[str, Any], field: str, value: object
) -> None:
    first = change(alice, turn.conversation.pk, **wanted)
    twice = change(alice, turn.conversation.pk, **wanted)

    assert first.status_code == twice.status_code == 200
    assert first.json() == twice.json()
    assert first.json()[field] == value


def test_what_is_absent_stays(alice: User, turn: Turn) -> None:
    change(alice, turn.conversation.pk, title="Kept", pinned=True)

    response = change(alice, turn.conversation.pk, pinned=False)

    assert response.json()["title"] == "Kept"
    assert response.json()["pinned"] is False


def test_archived_conversations_leave_the_list_and_come_back(alice: User, turn: Turn) -> None:
    change(alice, turn.conversation.pk, archived=True)
    without = cards(alice)
    change(alice, turn.conversation.pk, archived=False)

    assert without == []
    assert len(cards(alice)) == 1


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        pytest.param({"title": "  "}, "empty_text", id="blank-title"),
        pytest.param({"title": "x" * 121}, "text_too_long", id="title-too-long"),
        pytest.param({"title": 5}, "bad_frame", id="title-a-number"),
        pytest.param({"title": "a\x00b"}, "bad_frame", id="title-with-nul"),
        pytest.param({"title": "a\ud800"}, "bad_frame", id="title-no-text"),
        pytest.param({"pinned": "yes"}, "bad_frame", id="pinned-a-word"),
        pytest.param({"owner": 1}, "bad_frame", id="unknown-field"),
    ],
)
def test_bad_changes_are_refused_and_change_nothing(
    alice: User, turn: Turn, wanted: dict[str, Any], code: str
) -> None:
    response = change(alice, turn.conversation.pk, **{"archived": True} | wanted)

    assert response.status_code == 400
    assert code_of(response) == code
    turn.conversation.refresh_from_db()
    assert turn.conversation.archived_at is None


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "5", "[" * 100_000, "x" * 3_000_000])
def test_broken_json_is_a_bad_frame(alice: User, turn: Turn, body: str) -> None:
    response = browser_of(alice).patch(
        f"/api/conversations/{turn.conversation.pk}/", body, content_type="application/json"
    )

    assert response.status_code == 400
    assert code_of(response) == "bad_frame"


def test_an_owner_deletes_a_conversation_once(alice: User, turn: Turn) -> None:
    browser, url = browser_of(alice), f"/api/conversations/{turn.conversation.pk}/"

    first, twice = browser.delete(url), browser.delete(url)

    assert (first.status_code, first.content) == (204, b"")
    assert twice.status_code == 404
    assert browser.get("/api/conversations/").json()["items"] == []


def test_an_owner_brings_a_deleted_conversation_back(alice: User, turn: Turn) -> None:
    browser, url = browser_of(alice), f"/api/conversations/{turn.conversation.pk}/"
    browser.delete(url)

    answer = browser.post(f"{url}restore/")

    assert (answer.status_code, answer.json()["id"]) == (200, str(turn.conversation.pk))
    assert browser.get(url).status_code == 200


def test_the_archive_is_listed_on_demand_and_searched_always(alice: User, turn: Turn) -> None:
    browser, url = browser_of(alice), f"/api/conversations/{turn.conversation.pk}/"
    browser.patch(url, {"archived": True}, content_type="application/json")

    def listed(query: str) -> int:
        total: int = browser.get(f"/api/conversations/?{query}").json()["total"]
        return total

    assert (listed(""), listed("archived=true"), listed("q=what")) == (0, 1, 1)


def test_messages_come_as_a_tree(alice: User) -> None:
    picture = a_picture(alice)
    turn = a_turn(alice, "What is *this*?", image_ids=[picture.pk])
    end_reply(turn.reply, "A **red** square.", usage={"completion_tokens": 5}, model="scripted")

    body = browser_of(alice).get(f"/api/conversations/{turn.conversation.pk}/messages/").json()

    question, answer = body["messages"]
    assert body["leaf"] == answer["id"] == str(turn.reply.pk)
    assert question["parent"] is None
    assert answer["parent"] == question["id"] == str(turn.message.pk)
    assert (question["role"], answer["role"]) == ("user", "assistant")
    assert question["images"] == [
        {"id": str(picture.pk), "width": 64, "height": 64, "type": "image/png"}
    ]
    assert question["reply"] is None
    assert answer["text"] == "A **red** square."
    assert "<strong>red</strong>" in answer["html"]
    assert answer["reply"] == {
        "state": "done",
        "finish_reason": "stop",
        "error_code": "",
        "usage": {"completion_tokens": 5},
        "timings": {},
        "model": "scripted",
        "demo": False,
    }


def test_pictures_come_in_the_order_of_the_question(alice: User) -> None:
    pictures = [a_picture(alice, color=(10, 10, shade)) for shade in (1, 2, 3)]
    wanted = [pictures[1], pictures[2], pictures[0]]
    turn = a_turn(alice, image_ids=[picture.pk for picture in wanted])

    body = browser_of(alice).get(f"/api/conversations/{turn.conversation.pk}/messages/").json()

    assert MessageImage.objects.count() == 3
    assert [image["id"] for image in body["messages"][0]["images"]] == [
        str(picture.pk) for picture in wanted
    ]


def test_a_tree_costs_the_same_for_any_length(
    alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    turn = a_turn(alice, image_ids=[a_picture(alice).pk])
    for number in range(4):
        end_reply(turn.reply, "answer")
        turn = a_turn(alice, f"question {number}", conversation_id=turn.conversation.pk)
    browser = browser_of(alice)

    with django_assert_max_num_queries(5):  # session, person, conversation, messages, pictures
        body = browser.get(f"/api/conversations/{turn.conversation.pk}/messages/").json()
    assert len(body["messages"]) == 10


ENTRIES = [
    pytest.param("patch", "", id="change"),
    pytest.param("delete", "", id="delete"),
    pytest.param("get", "messages/", id="messages"),
    pytest.param("post", "restore/", id="restore"),
]


def call(user: User | None, method: str, conversation_id: object, path: str) -> Any:
    return browser_of(user).generic(
        method.upper(),
        f"/api/conversations/{conversation_id}/{path}",
        json.dumps({"title": "taken"}) if method == "patch" else "",
        content_type="application/json",
    )


@pytest.mark.parametrize(("method", "path"), ENTRIES)
@pytest.mark.parametrize("person", ["bob", "carol"])
def test_a_foreign_conversation_looks_exactly_like_a_missing_one(
    turn: Turn, method: str, path: str, person: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(person)

    foreign = call(user, method, turn.conversation.pk, path)
    missing = call(user, method, uuid.uuid4(), path)

    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content
    assert code_of(foreign) == "conversation_not_found"
    turn.conversation.refresh_from_db()
    assert turn.conversation.title == "What is *this*?"


@pytest.mark.parametrize(("method", "path"), ENTRIES)
def test_nobody_reaches_no_conversation(turn: Turn, method: str, path: str) -> None:
    response = call(None, method, turn.conversation.pk, path)

    assert response.status_code == 401
    assert code_of(response) == "unauthenticated"
    assert Conversation.objects.exists()


def test_nobody_lists_no_conversations(db: None) -> None:
    response = browser_of(None).get("/api/conversations/")

    assert response.status_code == 401
    assert code_of(response) == "unauthenticated"


@pytest.mark.parametrize(("method", "path"), ENTRIES)
def test_a_malformed_id_is_a_bad_frame(alice: User, method: str, path: str) -> None:
    response = call(alice, method, "not-an-id", path)

    assert response.status_code == 400
    assert code_of(response) == "bad_frame"


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_another_site_changes_nothing(alice: User, turn: Turn, method: str) -> None:
    browser = browser_of(alice, enforce_csrf_checks=True)

    response = browser.generic(method.upper(), f"/api/conversations/{turn.conversation.pk}/", "{}")

    assert response.status_code == 403
    assert code_of(response) == "bad_frame"
    assert Conversation.objects.exists()


def test_a_branch_is_chosen_by_a_message_of_the_conversation(alice: User, bob: User) -> None:
    turn, other = a_turn(alice), a_turn(bob)
    end_reply(turn.reply, "A circle.")
    again = questions.regenerate(alice, RegenerateFrame(turn.reply.pk))
    url = f"/api/conversations/{turn.conversation.pk}/"
    browser = browser_of(alice)

    chosen = browser.patch(url, {"leaf": str(turn.reply.pk)}, content_type="application/json")

    assert chosen.status_code == 200
    assert browser.get(f"{url}messages/").json()["leaf"] == str(turn.reply.pk)
    for missing in (other.message.pk, uuid.uuid4()):
        refused = browser.patch(url, {"leaf": str(missing)}, content_type="application/json")
        assert (refused.status_code, code_of(refused)) == (404, "message_not_found")
    assert Conversation.objects.get(pk=turn.conversation.pk).leaf_id == turn.reply.pk
    assert again.reply != turn.reply.pk


def test_the_card_of_one_conversation_names_its_newest_turn(alice: User, turn: Turn) -> None:
    response = browser_of(alice).get(f"/api/conversations/{turn.conversation.pk}/")

    card = response.json()
    assert response.status_code == 200
    assert (card["title"], card["is_generating"]) == ("What is *this*?", True)
    assert (card["message"], card["reply"]) == (str(turn.message.pk), str(turn.reply.pk))


def test_somebody_elses_card_is_a_missing_one(alice: User, bob: User, turn: Turn) -> None:
    answers = [
        browser_of(bob).get(f"/api/conversations/{wanted}/")
        for wanted in (turn.conversation.pk, uuid.uuid4())
    ]

    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_an_answer_is_new_until_its_conversation_is_looked_at(alice: User, turn: Turn) -> None:
    end_reply(turn.reply, "A circle.")
    conversation_service.mark_unread(turn.reply.pk)
    assert cards(alice)[0]["unread"] is True
    browser, url = browser_of(alice), f"/api/conversations/{turn.conversation.pk}/"

    changed = browser.patch(url, {"unread": False}, content_type="application/json")

    assert changed.json()["unread"] is False
    conversation_service.mark_unread(turn.reply.pk)
    assert browser.get(f"/c/{turn.conversation.pk}/").status_code == 200
    assert cards(alice)[0]["unread"] is False
