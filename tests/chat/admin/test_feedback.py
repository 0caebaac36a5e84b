"""Feedback in the admin: filtered by in both lists, shown to operators, its comment only alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from chat.models import Feedback
from chat.services import feedback
from tests.chat.admin.test_admin import change_url, page, titles
from tests.chat.factories import a_reply, a_turn

if TYPE_CHECKING:
    from django.contrib.auth.models import User

REPLIES = reverse("admin:chat_reply_changelist")


def test_conversations_are_found_by_their_feedback(carol: User, alice: User) -> None:
    judged = a_turn(alice, "judged")
    a_turn(alice, "not judged")
    feedback.give(judged.reply, Feedback.Value.BAD)

    assert titles(carol, feedback="-1") == {"judged"}
    assert titles(carol, feedback="1") == set()


def test_operators_see_the_judgement_and_the_comment_on_its_page(carol: User, alice: User) -> None:
    reply = a_reply(alice)
    feedback.give(reply, Feedback.Value.BAD, "It is <b>blue</b>.")

    listed = page(carol, REPLIES, feedback__value="-1")
    alone = page(carol, change_url(reply))

    assert '<td class="field-judgement">bad</td>' in listed
    assert "blue" not in listed
    assert "It is &lt;b&gt;blue&lt;/b&gt;." in alone
