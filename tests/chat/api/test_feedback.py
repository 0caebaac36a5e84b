"""Feedback over HTTP: given, changed, taken back, and refused where it is not one's own answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from chat.models import Feedback
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.factories import a_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


def judge(user: User | None, reply: object, body: object, **options: Any) -> Any:
    """Send feedback on an answer."""
    return browser_of(user, **options).post(
        f"/api/replies/{reply}/feedback/", json.dumps(body), content_type="application/json"
    )


def test_feedback_is_kept_with_its_comment(alice: User) -> None:
    reply = a_reply(alice)

    response = judge(alice, reply.pk, {"value": -1, "comment": "It is blue."})

    assert (response.status_code, response.content) == (204, b"")
    kept = Feedback.objects.get(reply=reply)
    assert (kept.value, kept.comment) == (-1, "It is blue.")


def test_giving_it_twice_keeps_the_last(alice: User) -> None:
    reply = a_reply(alice)

    for value in (1, -1):
        assert judge(alice, reply.pk, {"value": value}).status_code == 204

    assert Feedback.objects.get().value == -1


def withdraw(user: User | None, reply: object, **options: Any) -> Any:
    """Take feedback back."""
    return browser_of(user, **options).delete(f"/api/replies/{reply}/feedback/")


def test_what_is_taken_back_is_gone_with_its_comment(alice: User) -> None:
    reply, other = a_reply(alice), a_reply(alice)
    for each in (reply, other):
        judge(alice, each.pk, {"value": -1, "comment": "It is blue."})

    response = withdraw(alice, reply.pk)

    assert (response.status_code, response.content) == (204, b"")
    assert [kept.reply_id for kept in Feedback.objects.all()] == [other.pk]


def test_taking_back_twice_changes_nothing(alice: User) -> None:
    reply = a_reply(alice)

    assert [withdraw(alice, reply.pk).status_code for _ in range(2)] == [204, 204]


def test_strangers_and_foreign_pages_take_nothing_back(alice: User, bob: User) -> None:
    reply = a_reply(alice)
    judge(alice, reply.pk, {"value": 1})

    theirs = withdraw(bob, reply.pk)
    missing = withdraw(bob, "00000000-0000-4000-8000-000000000000")
    nobodys = withdraw(None, reply.pk)
    foreign = withdraw(alice, reply.pk, enforce_csrf_checks=True)

    assert theirs.status_code == missing.status_code == 404
    assert theirs.content == missing.content
    assert (nobodys.status_code, foreign.status_code) == (401, 403)
    assert Feedback.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"value": 0}, id="neither"),
        pytest.param({"value": "1"}, id="a text"),
        pytest.param({"value": 1, "comment": "x" * 2001}, id="too long"),
        pytest.param({"value": 1, "comment": "a\x00b"}, id="no text"),
        pytest.param({"value": 1, "stars": 5}, id="unknown field"),
        pytest.param([], id="a list"),
    ],
)
def test_malformed_feedback_is_refused(alice: User, body: object) -> None:
    response = judge(alice, a_reply(alice).pk, body)

    assert (response.status_code, code_of(response)) == (400, "bad_frame")
    assert not Feedback.objects.exists()


def test_strangers_answer_is_a_missing_one(alice: User, bob: User) -> None:
    reply = a_reply(alice)

    theirs = judge(bob, reply.pk, {"value": 1})
    missing = judge(bob, "00000000-0000-4000-8000-000000000000", {"value": 1})

    assert theirs.status_code == missing.status_code == 404
    assert theirs.content == missing.content
    assert not Feedback.objects.exists()


def test_nobody_gives_no_feedback(alice: User) -> None:
    response = judge(None, a_reply(alice).pk, {"value": 1})

    assert (response.status_code, code_of(response)) == (401, "unauthenticated")


def test_a_foreign_page_cannot_judge_in_somebodys_name(alice: User) -> None:
    response = judge(alice, a_reply(alice).pk, {"value": 1}, enforce_csrf_checks=True)

    assert response.status_code == 403
    assert not Feedback.objects.exists()
