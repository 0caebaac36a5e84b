"""Deleting with a way back: out of sight at once, gone for good later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.utils import timezone

from chat import access, signals
from chat.errors import ChatError, ErrorCode
from chat.generation import sweeper
from chat.models import Conversation, Message, Reply
from chat.services import conversations, deletion
from tests.chat.factories import a_reply, a_turn, end_reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from pytest_django.fixtures import (
        DjangoAssertNumQueries,
        DjangoCaptureOnCommitCallbacks,
    )

    from chat.services.turns import Turn

pytestmark = pytest.mark.django_db


@pytest.fixture
def turn(alice: User) -> Turn:
    """Own a conversation with one finished turn."""
    turn = a_turn(alice)
    end_reply(turn.reply, "A circle.")
    return turn


@pytest.fixture
def told() -> Iterator[list[Conversation]]:
    """Collect the conversations whose cards are sent out again."""
    cards: list[Conversation] = []

    def changed(*, conversation: Conversation, **_: Any) -> None:
        cards.append(conversation)

    signals.conversation_changed.connect(changed)
    yield cards
    signals.conversation_changed.disconnect(changed)


def discarded_ago(conversation: Conversation, ago_s: float) -> None:
    """Discard it, that long ago."""
    deletion.discard(conversation)
    at = timezone.now() - timedelta(seconds=ago_s)
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=at)


def test_what_is_discarded_is_seen_by_nobody(alice: User, turn: Turn) -> None:
    deletion.discard(turn.conversation)

    assert list(conversations.page(alice)) == []
    assert not Message.objects.visible_to(alice).exists()
    assert not Reply.objects.visible_to(alice).exists()
    with pytest.raises(ChatError) as refused:
        access.conversation_for(alice, turn.conversation.pk)
    assert refused.value.code == ErrorCode.CONVERSATION_NOT_FOUND


def test_what_is_discarded_comes_back_whole_and_is_told(
    alice: User,
    turn: Turn,
    told: list[Conversation],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    deletion.discard(turn.conversation)
    with django_capture_on_commit_callbacks(execute=True):
        deletion.restore(alice, turn.conversation.pk)

    assert list(conversations.page(alice)) == [turn.conversation]
    assert told == [turn.conversation]


def test_bringing_back_what_is_there_tells_nothing(
    alice: User,
    turn: Turn,
    told: list[Conversation],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert deletion.restore(alice, turn.conversation.pk) == turn.conversation

    assert told == []


def test_stranger_brings_nothing_back(bob: User, turn: Turn) -> None:
    deletion.discard(turn.conversation)

    with pytest.raises(ChatError) as refused:
        deletion.restore(bob, turn.conversation.pk)
    assert refused.value.code == ErrorCode.CONVERSATION_NOT_FOUND
    assert Conversation.objects.filter(deleted_at__isnull=False).count() == 1


def test_what_is_purged_between_look_and_change_does_not_come_back(
    alice: User, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    deletion.discard(turn.conversation)
    look = access.deleted_conversation_for

    def purged_after(*arguments: Any) -> Conversation:
        found = look(*arguments)
        conversations.delete(Conversation.objects.get(pk=found.pk))
        return found

    monkeypatch.setattr(access, "deleted_conversation_for", purged_after)
    with pytest.raises(ChatError) as refused:
        deletion.restore(alice, turn.conversation.pk)
    assert refused.value.code == ErrorCode.CONVERSATION_NOT_FOUND


def test_only_what_was_discarded_long_enough_ago_is_purged(alice: User, turn: Turn) -> None:
    old, shown = a_turn(alice), a_turn(alice)
    discarded_ago(turn.conversation, 59)
    discarded_ago(old.conversation, 61)

    assert deletion.purge(60) == 1
    assert set(Conversation.objects.all()) == {turn.conversation, shown.conversation}
    assert not Message.objects.filter(pk=old.message.pk).exists()


def test_what_is_brought_back_while_it_is_purged_stays(
    alice: User, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    discarded_ago(turn.conversation, 61)
    purge = deletion._purge

    def restored_before(overdue: Any) -> bool:
        deletion.restore(alice, turn.conversation.pk)
        return purge(overdue)

    monkeypatch.setattr(deletion, "_purge", restored_before)
    assert deletion.purge(60) == 0
    assert list(conversations.page(alice)) == [turn.conversation]


def test_an_empty_bin_costs_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        assert deletion.purge(60) == 0


def test_the_sweeper_purges(turn: Turn) -> None:
    discarded_ago(turn.conversation, settings.VL_DELETE_UNDO_S + 1)

    sweeper.sweep()

    assert not Conversation.objects.exists()


def test_a_waiting_reply_is_stopped(
    alice: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    reply = a_reply(alice)
    with django_capture_on_commit_callbacks(execute=True):
        deletion.discard(reply.message.conversation)

    reply.refresh_from_db()
    assert reply.state == Reply.State.STOPPED
    assert not Conversation.objects.visible_to(alice).exists()
