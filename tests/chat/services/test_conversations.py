"""Conversations: the list, the branch, and every change with the news it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from chat import signals
from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Image, Message, Reply
from chat.models.conversation import TITLE_MAX_CHARS
from chat.services import conversations
from tests.chat.factories import a_picture, a_reply, a_turn, end_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from pytest_django.fixtures import (
        DjangoAssertNumQueries,
        DjangoCaptureOnCommitCallbacks,
    )

Heard = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Listen to what the service tells."""
    news: Heard = []

    def changed(**arguments: Any) -> None:
        news.append(("changed", arguments))

    def deleted(**arguments: Any) -> None:
        news.append(("deleted", arguments))

    signals.conversation_changed.connect(changed)
    signals.conversation_deleted.connect(deleted)
    yield news
    signals.conversation_changed.disconnect(changed)
    signals.conversation_deleted.disconnect(deleted)


@pytest.fixture
def conversation(alice: User) -> Conversation:
    """Own a conversation with one finished turn."""
    turn = a_turn(alice)
    end_reply(turn.reply, "A circle.")
    return turn.conversation


def test_the_list_has_only_ones_own(alice: User, bob: User, conversation: Conversation) -> None:
    a_turn(bob)

    assert list(conversations.page(alice)) == [conversation]


def test_the_list_leaves_out_what_is_archived(alice: User, conversation: Conversation) -> None:
    conversations.set_archived(conversation, is_archived=True)

    assert list(conversations.page(alice)) == []


def test_what_comes_back_from_the_archive_is_in_the_list(
    alice: User, conversation: Conversation
) -> None:
    conversations.set_archived(conversation, is_archived=True)
    conversations.set_archived(conversation, is_archived=False)

    assert list(conversations.page(alice)) == [conversation]


def test_the_list_can_be_searched(alice: User, conversation: Conversation) -> None:
    assert list(conversations.page(alice, query=" circle ")) == [conversation]
    assert list(conversations.page(alice, query="tower")) == []


def test_the_list_comes_in_pages(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Conversation.objects.bulk_create(
        Conversation(owner=alice, title=str(index)) for index in range(conversations.PAGE_SIZE + 1)
    )

    with django_assert_num_queries(2):
        second = conversations.page(alice, number=2)
        titles = [item.title for item in second]

    assert len(titles) == 1
    assert not second.has_next()


def test_a_pinned_conversation_comes_first(alice: User, conversation: Conversation) -> None:
    newer = a_turn(alice).conversation

    conversations.set_pinned(conversation, is_pinned=True)

    assert list(conversations.page(alice)) == [conversation, newer]


def test_unpinning_puts_it_back(alice: User, conversation: Conversation) -> None:
    newer = a_turn(alice).conversation
    conversations.set_pinned(conversation, is_pinned=True)

    conversations.set_pinned(conversation, is_pinned=False)

    assert list(conversations.page(alice)) == [newer, conversation]


def test_the_shown_branch_leaves_out_siblings(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = a_turn(alice, "one")
    end_reply(first.reply, "1")
    old = a_turn(alice, "old", conversation_id=first.conversation.pk)
    end_reply(old.reply, "2")
    new = a_turn(alice, "new", conversation_id=first.conversation.pk, parent_id=first.reply.pk)
    shown = Conversation.objects.get()

    with django_assert_num_queries(2):
        branch = conversations.shown_branch(shown)

    assert [message.pk for message in branch] == [
        first.message.pk, first.reply.pk, new.message.pk, new.reply.pk,
    ]  # fmt: skip


def test_an_empty_conversation_has_an_empty_branch(alice: User) -> None:
    empty = Conversation.objects.create(owner=alice)

    assert conversations.shown_branch(empty) == []


@pytest.mark.parametrize(
    ("question", "title"),
    [
        pytest.param("What is this?", "What is this?", id="short"),
        pytest.param("\n  first  line \nsecond", "first line", id="first line, one blank"),
        pytest.param("word " * 20, "word " * 11 + "word…", id="cut at a word"),
        pytest.param("x" * 80, "x" * 60 + "…", id="no word to cut at"),
        pytest.param("", "", id="empty"),
        pytest.param("这" * 61, "这" * 60 + "…", id="Chinese"),
    ],
)
def test_the_title_is_the_questions_beginning(question: str, title: str) -> None:
    assert conversations.title_from(question) == title


@given(st.text())
def test_a_title_is_one_line_that_fits(question: str) -> None:
    title = conversations.title_from(question)

    assert len(title) <= TITLE_MAX_CHARS
    assert title == " ".join(title.split())


def test_renaming_keeps_the_title_as_one_line(conversation: Conversation) -> None:
    conversations.rename(conversation, "  My \n picture ")

    assert Conversation.objects.get().title == "My picture"


@pytest.mark.parametrize(
    ("title", "code"),
    [
        pytest.param(" \n", ErrorCode.EMPTY_TEXT, id="blank"),
        pytest.param("x" * 121, ErrorCode.TEXT_TOO_LONG, id="too long"),
    ],
)
def test_a_title_out_of_bounds_is_refused(
    conversation: Conversation, title: str, code: ErrorCode
) -> None:
    with pytest.raises(ChatError) as caught:
        conversations.rename(conversation, title)

    assert caught.value.code == code
    assert Conversation.objects.get().title == "What is this?"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda item: conversations.rename(item, "New"), id="rename"),
        pytest.param(lambda item: conversations.set_pinned(item, is_pinned=True), id="pin"),
        pytest.param(lambda item: conversations.set_archived(item, is_archived=True), id="archive"),
    ],
)
def test_each_change_is_told_after_the_commit(
    change: Callable[[Conversation], Conversation],
    conversation: Conversation,
    heard: Heard,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as on_commit:
        change(conversation)
    heard_before = list(heard)
    for callback in on_commit:
        callback()

    assert heard_before == []
    assert [(kind, news["conversation"]) for kind, news in heard] == [("changed", conversation)]


def test_a_change_touches_only_its_field(conversation: Conversation) -> None:
    stale = Conversation.objects.get()
    conversations.rename(conversation, "New")

    conversations.set_pinned(stale, is_pinned=True)

    assert Conversation.objects.get().title == "New"


def test_deleting_takes_messages_and_replies_along(conversation: Conversation) -> None:
    conversations.delete(conversation)

    assert [model.objects.count() for model in (Conversation, Message, Reply)] == [0, 0, 0]


def test_deleting_leaves_uploaded_pictures(alice: User) -> None:
    picture = a_picture(alice)
    turn = a_turn(alice, image_ids=[picture.pk])

    conversations.delete(turn.conversation)

    assert list(Image.objects.all()) == [picture]


def test_deleting_tells_which_replies_were_still_open(
    alice: User,
    heard: Heard,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    reply = a_reply(alice)
    conversation_id = reply.message.conversation_id

    with django_capture_on_commit_callbacks(execute=True):
        conversations.delete(reply.message.conversation)

    (kind, news), = heard  # fmt: skip
    assert (kind, news["owner_id"], news["conversation_id"], news["open_reply_ids"]) == (
        "deleted", alice.pk, conversation_id, [reply.pk],
    )  # fmt: skip


def test_a_failing_listener_spoils_no_change(
    conversation: Conversation,
    heard: Heard,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def explode(**_: Any) -> None:
        raise RuntimeError("injected")

    signals.conversation_changed.connect(explode)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            conversations.rename(conversation, "New")
    finally:
        signals.conversation_changed.disconnect(explode)

    assert Conversation.objects.get().title == "New"
    assert len(heard) == 1


def test_pinned_at_is_the_moment_of_pinning(conversation: Conversation) -> None:
    before = timezone.now()

    pinned_at = conversations.set_pinned(conversation, is_pinned=True).pinned_at

    assert pinned_at is not None
    assert before <= pinned_at <= timezone.now()
