"""The conversation list: its groups, its pages, what a search sets off, and the archive."""

from __future__ import annotations

import datetime
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from chat.models import Conversation
from chat.services import conversations
from chat.views.hits import Piece, pieces, snippet
from chat.views.sidebar import sidebar_page
from tests.chat.factories import a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 15, 12, tzinfo=datetime.UTC)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> datetime.datetime:
    """Let it be noon, so that hours do not change the day."""
    monkeypatch.setattr(timezone, "localdate", NOON.date)
    return NOON


def active(user: User, title: str, at: datetime.datetime, **fields: Any) -> Conversation:
    """Keep a conversation that was last active then."""
    return Conversation.objects.create(owner=user, title=title, active_at=at, **fields)


def listed(user: User, **query: str) -> str:
    """Ask for the list as the page does."""
    client = Client()
    client.force_login(user)
    return client.get(reverse("chat:conversations"), query).content.decode()


def test_the_list_is_grouped_by_time(alice: User, noon: datetime.datetime) -> None:
    ago = {"now": 0, "evening": 1, "tuesday": 4, "february": 28, "january": 50, "winter": 51}
    for title, days in ago.items():
        active(alice, title, noon - timedelta(days=days))
    active(alice, "kept", noon - timedelta(days=400), pinned_at=noon)

    with translation.override("en"):
        groups = sidebar_page(alice).groups

    assert [(group.key, group.title) for group in groups] == [
        ("pinned", "Pinned"),
        ("today", "Today"),
        ("yesterday", "Yesterday"),
        ("week", "Previous 7 days"),
        ("month", "Previous 30 days"),
        ("2026-01", "January 2026"),
    ]
    assert [len(group.cards) for group in groups] == [1, 1, 1, 1, 1, 2]


def test_a_month_is_written_in_the_readers_language(alice: User, noon: datetime.datetime) -> None:
    active(alice, "old", noon - timedelta(days=400))
    with translation.override("zh-hans"):
        assert sidebar_page(alice).groups[-1].title == "2025年2月"


def test_today_is_there_for_what_comes_even_when_it_is_empty(alice: User) -> None:
    assert [group.key for group in sidebar_page(alice).groups] == ["today"]
    assert '<section class="group" data-group="today" hidden>' in listed(alice)
    assert sidebar_page(alice).is_empty


def test_a_later_page_is_asked_for_by_its_number(alice: User, bob: User) -> None:
    for number in range(101):
        active(alice, f"Question {number}", timezone.now() - timedelta(seconds=number))
    active(bob, "Question of bob", timezone.now())

    first, third = sidebar_page(alice), sidebar_page(alice, page="3")

    assert (len(first.groups[0].cards), list(first.later_pages)) == (50, [2, 3])
    assert (len(third.groups[0].cards), list(third.later_pages)) == (1, [])
    assert re.findall(r'data-chunk="(\d)"', listed(alice)) == ["1", "2", "3"]
    assert "data-chunk" not in listed(alice, page="3")


@pytest.mark.parametrize("page", ["9" * 5000, "0", "-1", "²", "x", ""], ids=lambda page: page[:9])
def test_a_page_that_is_none_is_the_first(alice: User, page: str) -> None:
    a_turn(alice)

    assert sidebar_page(alice, page=page).number == 1


def test_a_list_costs_the_same_for_any_length(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        end_reply(a_turn(alice, f"Question {number}").reply, "A circle")
    with django_assert_num_queries(2):
        sidebar_page(alice)
    with django_assert_num_queries(3):
        sidebar_page(alice, query="circle")


def test_what_was_found_shows_where_and_leads_there(alice: User) -> None:
    turn = a_turn(alice, "What is <b>this</b>?")
    end_reply(turn.reply, "I see a red\ncircle, and <i>another</i> Circle below it.")
    active(alice, "Circles", timezone.now())

    page = listed(alice, q="circle")

    assert "2 conversations found" in page
    assert (
        "I see a red <mark>circle</mark>, and &lt;i&gt;another&lt;/i&gt; <mark>Circle</mark>"
        in page
    )
    assert (
        f'href="{reverse("chat:conversation", args=[turn.conversation.pk])}?at={turn.reply.pk}"'
        in page
    )
    assert "<mark>Circle</mark>s" in page
    assert "<b>" not in page


def test_a_search_finds_what_is_archived_and_says_so(alice: User) -> None:
    active(alice, "A tower", timezone.now(), archived_at=timezone.now())

    assert "In the archive" in listed(alice, q="tower")
    assert "A tower" not in listed(alice)
    assert "A tower" in listed(alice, archived="1")
    assert "In the archive" not in listed(alice, archived="1")


def test_strangers_conversations_are_not_found(alice: User, bob: User) -> None:
    a_turn(bob, "Question of bob")

    assert sidebar_page(alice, query="bob").is_empty
    assert "Nothing found." in listed(alice, q="bob")


def test_an_empty_archive_says_so(alice: User) -> None:
    assert "Nothing is archived." in listed(alice, archived="1")


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999", "²", ""])
def test_page_number_that_is_none_shows_a_page(alice: User, page: str) -> None:
    active(alice, "One", timezone.now())

    assert "One" in listed(alice, page=page)


def test_the_shown_one_is_marked(alice: User) -> None:
    turn, _other = a_turn(alice), a_turn(alice)

    shown = listed(alice, current=str(turn.conversation.pk))

    assert shown.count('aria-current="page"') == 1
    assert shown.count("data-generating>") == 2


def test_the_page_opens_at_the_hit_on_a_branch_that_is_not_shown(alice: User) -> None:
    first = a_turn(alice, "First version")
    end_reply(first.reply, "one")
    second = a_turn(alice, "Second version", conversation_id=first.conversation.pk)
    end_reply(second.reply, "two")
    conversations.show(first.conversation, first.message)
    first.conversation.leaf_id = first.reply.pk
    first.conversation.save()

    client = Client()
    client.force_login(alice)
    page = client.get(
        reverse("chat:conversation", args=[first.conversation.pk]), {"at": str(second.message.pk)}
    ).content.decode()

    assert re.search(rf'data-message="{second.message.pk}"[^>]* data-sought', page)
    first.conversation.refresh_from_db()
    assert first.conversation.leaf_id == second.reply.pk


@pytest.mark.parametrize("sought", ["gone", "of another", "foreign", "no id"])
def test_a_hit_that_is_not_there_shows_the_conversation(
    alice: User, bob: User, sought: str
) -> None:
    turn = a_turn(alice)
    ids = {
        "gone": "00000000-0000-4000-8000-000000000000",
        "of another": a_turn(alice).message.pk,
        "foreign": a_turn(bob).message.pk,
        "no id": "x",
    }
    client = Client()
    client.force_login(alice)
    path = reverse("chat:conversation", args=[turn.conversation.pk])

    response = client.get(path, {"at": str(ids[sought])})

    assert response.status_code == 200
    assert b"data-sought" not in response.content


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        pytest.param("A red circle", "RED", ["A ", "*red", " circle"], id="case aside"),
        pytest.param("aaa", "a", ["*a", "*a", "*a"], id="every place"),
        pytest.param("a.b", ".", ["a", "*.", "b"], id="no pattern"),
        pytest.param("nothing", "x", ["nothing"], id="none"),
        pytest.param("nothing", "", ["nothing"], id="no query"),
        pytest.param("红色圆形", "圆", ["红色", "*圆", "形"], id="chinese"),
    ],
)
def test_a_text_is_cut_at_what_was_searched(text: str, query: str, shown: list[str]) -> None:
    assert [("*" if is_hit else "") + piece for piece, is_hit in pieces(text, query)] == shown


def test_a_snippet_is_one_line_around_the_first_hit() -> None:
    text = "word " * 40 + "the\n\ncircle " + "more " * 60

    shown = "".join(piece.text for piece in snippet(text, "the  circle"))

    assert shown.startswith("…word")
    assert "the circle more" in shown
    assert shown.endswith("…")
    assert len(shown) < 140


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        pytest.param("# Two **red** `circles`", "red", "Two red circles", id="marks are left out"),
        pytest.param("| a | b |\n|---|---|\n| c | d |", "c", "a b c d", id="a table"),
        pytest.param("a **bold** word", "**bold", "a **bold** word", id="marks searched for"),
        pytest.param("snake_case 2*3", "case", "snake_case 2*3", id="within words they stay"),
    ],
)
def test_a_snippet_is_read_without_its_marks(text: str, query: str, shown: str) -> None:
    assert "".join(piece.text for piece in snippet(text, query)) == shown


def test_a_text_without_the_query_has_no_snippet() -> None:
    assert snippet("A square", "circle") == ()
    assert snippet("circle", "circle") == (Piece("circle", is_hit=True),)
