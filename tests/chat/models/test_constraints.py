"""The database itself refuses what must never be, whoever writes it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import RestrictedError
from django.utils import timezone

from chat.models import Image, Message, MessageImage, Reply
from tests.chat.factories import RUNNING, a_picture, a_reply, a_turn, row_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOW = timezone.now()
LEASED = {**RUNNING, "lease_until": NOW}
ENDED = {"ended_at": NOW}


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        pytest.param(
            {**RUNNING, "lease_until": None}, "reply_lease_while_running", id="runs unleased"
        ),
        pytest.param({"lease_until": NOW}, "reply_lease_while_running", id="waits with a lease"),
        pytest.param({"lease_owner": "x"}, "reply_lease_while_running", id="waits with an owner"),
        pytest.param(
            {**LEASED, **ENDED, "state": "done", "finish_reason": "stop"},
            "reply_lease_while_running",
            id="ended with a lease",
        ),
        pytest.param(ENDED, "reply_ends_once", id="waits after its end"),
        pytest.param({**LEASED, **ENDED}, "reply_ends_once", id="runs after its end"),
        pytest.param(
            {"state": "done", "finish_reason": "stop"}, "reply_ends_once", id="done without an end"
        ),
        pytest.param({"finish_reason": "stop"}, "reply_reason_fits_state", id="waits, finished"),
        pytest.param({"error_code": "x"}, "reply_reason_fits_state", id="waits, failed"),
        pytest.param(
            {**ENDED, "state": "done"}, "reply_reason_fits_state", id="done without a reason"
        ),
        pytest.param(
            {**ENDED, "state": "done", "finish_reason": "stopped"},
            "reply_reason_fits_state",
            id="done because stopped",
        ),
        pytest.param(
            {**ENDED, "state": "stopped", "finish_reason": "length"},
            "reply_reason_fits_state",
            id="stopped at the length limit",
        ),
        pytest.param(
            {**ENDED, "state": "failed"}, "reply_reason_fits_state", id="failed without a code"
        ),
        pytest.param(
            {**ENDED, "state": "failed", "error_code": "x", "finish_reason": "stop"},
            "reply_reason_fits_state",
            id="failed and complete",
        ),
    ],
)
def test_a_reply_in_an_impossible_state_is_refused(
    alice: User, fields: dict[str, Any], constraint: str
) -> None:
    reply = a_reply(alice)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row_of(reply.pk).update(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(LEASED, id="running"),
        *(
            pytest.param({**ENDED, "state": "done", "finish_reason": reason}, id=reason)
            for reason in ("stop", "length", "repetition")
        ),
        pytest.param({**ENDED, "state": "stopped", "finish_reason": "stopped"}, id="stopped"),
        pytest.param({**ENDED, "state": "failed", "error_code": "queue_full"}, id="failed"),
    ],
)
def test_a_reply_in_a_possible_state_is_kept(alice: User, fields: dict[str, Any]) -> None:
    reply = a_reply(alice)

    assert row_of(reply.pk).update(**fields) == 1


def test_a_message_has_one_reply(alice: User) -> None:
    reply = a_reply(alice)

    with pytest.raises(IntegrityError), transaction.atomic():
        Reply.objects.create(message=reply.message)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"author": None}, id="a question without an author"),
        pytest.param({"role": "assistant"}, id="an answer with an author and text"),
        pytest.param(
            {"role": "assistant", "author": None, "text": ""}, id="an answer to no question"
        ),
        pytest.param({"role": "system"}, id="another role"),
    ],
)
def test_a_message_that_fits_no_role_is_refused(alice: User, fields: dict[str, Any]) -> None:
    question = a_turn(alice).message

    with (
        pytest.raises(IntegrityError, match="message_role_decides_author_and_text"),
        transaction.atomic(),
    ):
        Message.objects.filter(pk=question.pk).update(**fields)


def test_a_message_is_not_its_own_parent(alice: User) -> None:
    question = a_turn(alice).message

    with (
        pytest.raises(IntegrityError, match="message_is_not_its_own_parent"),
        transaction.atomic(),
    ):
        Message.objects.filter(pk=question.pk).update(parent=question.pk)


def test_a_client_id_counts_once_for_a_person(alice: User) -> None:
    client_id = uuid.uuid4()
    first = a_turn(alice, client_id=client_id)
    second = a_turn(alice)

    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.filter(pk=second.message.pk).update(client_id=client_id)

    assert first.message.client_id == client_id


def test_two_people_may_use_the_same_client_id(alice: User, bob: User) -> None:
    client_id = uuid.uuid4()
    a_turn(alice, client_id=client_id)

    assert a_turn(bob, client_id=client_id).is_new


def test_a_place_in_a_message_holds_one_picture(alice: User) -> None:
    red, blue = a_picture(alice), a_picture(alice, color=(0, 0, 255))
    turn = a_turn(alice, image_ids=[red.pk])

    with pytest.raises(IntegrityError), transaction.atomic():
        MessageImage.objects.create(message=turn.message, image=blue, position=0)


def test_a_file_is_one_row_for_a_person(alice: User) -> None:
    a_picture(alice)

    with pytest.raises(IntegrityError), transaction.atomic():
        a_picture(alice)


def test_two_people_may_own_the_same_file(alice: User, bob: User) -> None:
    assert a_picture(alice).sha256 == a_picture(bob).sha256


@pytest.mark.parametrize("field", ["width_px", "height_px", "size_bytes"])
def test_a_picture_has_a_size(alice: User, field: str) -> None:
    picture = a_picture(alice)

    with pytest.raises(IntegrityError, match="image_has_a_size"), transaction.atomic():
        Image.objects.filter(pk=picture.pk).update(**{field: 0})


def test_a_picture_that_a_message_shows_cannot_be_deleted(alice: User) -> None:
    picture = a_picture(alice)
    a_turn(alice, image_ids=[picture.pk])

    with pytest.raises(RestrictedError):
        picture.delete()


def test_deleting_a_person_deletes_all_that_is_theirs(alice: User, bob: User) -> None:
    a_turn(alice, image_ids=[a_picture(alice).pk])
    kept = a_turn(bob, image_ids=[a_picture(bob).pk])

    alice.delete()

    assert list(Message.objects.filter(role="user")) == [kept.message]
    assert Image.objects.get().owner == bob
