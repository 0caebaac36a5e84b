"""Access: what is yours is found, and everything else is missing to the letter."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import AnonymousUser

from chat import access
from chat.errors import ChatError, ErrorCode
from tests.chat.factories import a_picture, a_preset, a_turn

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoAssertNumQueries

Finder = Callable[[Any, uuid.UUID], Any]


def _images(user: Any, image_id: uuid.UUID) -> Any:
    return access.images_for(user, [image_id])[0]


KINDS = [
    pytest.param("conversation", access.conversation_for, id="conversation"),
    pytest.param("message", access.message_for, id="message"),
    pytest.param("reply", access.reply_for, id="reply"),
    pytest.param("picture", access.image_for, id="picture"),
    pytest.param("preset", access.preset_for, id="preset"),
    pytest.param("picture", _images, id="pictures of a question"),
]
CODES = {
    "conversation": ErrorCode.CONVERSATION_NOT_FOUND,
    "message": ErrorCode.MESSAGE_NOT_FOUND,
    "reply": ErrorCode.MESSAGE_NOT_FOUND,
    "picture": ErrorCode.IMAGE_NOT_FOUND,
    "preset": ErrorCode.PRESET_NOT_FOUND,
}


@pytest.fixture
def hers(alice: User) -> dict[str, uuid.UUID]:
    """Give the ids of one of each, all alice's."""
    picture = a_picture(alice)
    turn = a_turn(alice, image_ids=[picture.pk])
    return {
        "conversation": turn.conversation.pk,
        "message": turn.message.pk,
        "reply": turn.reply.pk,
        "picture": picture.pk,
        "preset": a_preset(alice).pk,
    }


@pytest.mark.parametrize(("kind", "find"), KINDS)
def test_the_owner_finds_it_with_one_query(
    kind: str,
    find: Finder,
    alice: User,
    hers: dict[str, uuid.UUID],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(1):
        found = find(alice, hers[kind])

    assert found.pk == hers[kind]


@pytest.mark.parametrize(("kind", "find"), KINDS)
def test_a_stranger_finds_nothing(
    kind: str, find: Finder, bob: User, hers: dict[str, uuid.UUID]
) -> None:
    with pytest.raises(ChatError) as caught:
        find(bob, hers[kind])

    assert caught.value.code == CODES[kind]


@pytest.mark.parametrize(("kind", "find"), KINDS)
def test_somebody_signed_out_finds_nothing(
    kind: str, find: Finder, hers: dict[str, uuid.UUID]
) -> None:
    with pytest.raises(ChatError) as caught:
        find(AnonymousUser(), hers[kind])

    assert caught.value.code == CODES[kind]


@pytest.mark.parametrize(("kind", "find"), KINDS)
def test_an_unknown_id_looks_like_somebody_elses(
    kind: str, find: Finder, bob: User, hers: dict[str, uuid.UUID]
) -> None:
    with pytest.raises(ChatError) as unknown:
        find(bob, uuid.uuid4())
    with pytest.raises(ChatError) as foreign:
        find(bob, hers[kind])

    assert unknown.value.args == foreign.value.args
    assert unknown.value.content == foreign.value.content


@pytest.mark.parametrize(("kind", "find"), KINDS[:3] + KINDS[4:])
def test_staff_find_no_private_thing_outside_the_admin(
    kind: str, find: Finder, carol: User, hers: dict[str, uuid.UUID]
) -> None:
    with pytest.raises(ChatError) as caught:
        find(carol, hers[kind])

    assert caught.value.code == CODES[kind]


def test_a_reviewer_sees_any_picture(carol: User, hers: dict[str, uuid.UUID]) -> None:
    assert access.image_for(carol, hers["picture"]).pk == hers["picture"]


def test_staff_without_the_permission_see_no_picture(
    carol: User, hers: dict[str, uuid.UUID]
) -> None:
    carol.user_permissions.clear()

    with pytest.raises(ChatError):
        access.image_for(carol, hers["picture"])


def test_the_permission_without_being_staff_shows_no_picture(
    carol: User, hers: dict[str, uuid.UUID]
) -> None:
    carol.is_staff = False

    with pytest.raises(ChatError):
        access.image_for(carol, hers["picture"])


def test_pictures_come_in_the_order_asked_for(alice: User) -> None:
    red, blue = a_picture(alice), a_picture(alice, color=(0, 0, 255))

    found = access.images_for(alice, [blue.pk, red.pk, blue.pk])

    assert [image.pk for image in found] == [blue.pk, red.pk, blue.pk]


def test_one_foreign_picture_refuses_all(alice: User, bob: User) -> None:
    mine, foreign = a_picture(bob), a_picture(alice)

    with pytest.raises(ChatError) as caught:
        access.images_for(bob, [mine.pk, foreign.pk])

    assert caught.value.code == ErrorCode.IMAGE_NOT_FOUND
