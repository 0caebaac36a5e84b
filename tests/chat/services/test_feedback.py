"""Feedback is kept once for each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError

from chat.models import Feedback
from chat.services import feedback
from tests.chat.factories import a_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


def test_a_later_judgement_replaces_an_earlier_one(alice: User) -> None:
    reply = a_reply(alice)
    feedback.give(reply, Feedback.Value.BAD, " wrong colour ")

    feedback.give(reply, Feedback.Value.GOOD)

    kept = Feedback.objects.get()
    assert (kept.reply_id, kept.value, kept.comment) == (reply.pk, 1, "")


def test_nothing_lies_between_good_and_bad(alice: User) -> None:
    reply = a_reply(alice)

    with pytest.raises(IntegrityError):
        Feedback.objects.create(reply=reply, value=0)


def test_feedback_goes_with_its_answer(alice: User) -> None:
    reply = a_reply(alice)
    feedback.give(reply, Feedback.Value.GOOD, "right")

    reply.message.conversation.delete()

    assert not Feedback.objects.exists()
