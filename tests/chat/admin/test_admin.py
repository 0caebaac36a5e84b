"""Reviewers and operators in the Django admin: they see, they change nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from chat.models import Conversation, Image, Message, Reply
from tests.chat.factories import a_picture, a_reply, a_turn, end_reply

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries
    from pytest_django.fixtures import SettingsWrapper

    from chat.services.turns import Turn

LIST = reverse("admin:chat_conversation_changelist")


@pytest.fixture(autouse=True)
def media(settings: SettingsWrapper, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def turn(alice: User) -> Turn:
    turn = a_turn(alice, "What is <b>this</b>?", image_ids=[a_picture(alice).pk])
    end_reply(
        turn.reply,
        "A **red** square <script>alert(1)</script>.",
        model="Qwen3-VL-2B",
        usage={"completion_tokens": 7},
        timings={"first_token_ms": 120},
    )
    return turn


def desk_of(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def page(user: User, url: str, **query: str) -> str:
    response = desk_of(user).get(url, query)
    assert response.status_code == 200
    html: str = response.content.decode()
    return html


def change_url(row: Conversation | Image | Reply) -> str:
    return reverse(f"admin:chat_{row._meta.model_name}_change", args=(row.pk,))


def allow(user: User, *codenames: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def titles(user: User, **query: str) -> set[str]:
    html = page(user, LIST, **query)
    return set(re.findall(r'<th class="field-heading"><a [^>]*>([^<]*)</a>', html))


def test_the_list_shows_what_reviewers_look_for(carol: User, turn: Turn) -> None:
    html = page(carol, LIST)

    row = html[html.index('class="field-heading"') : html.index("</tbody>")]
    assert "alice" in row
    assert '<td class="field-turns">1</td>' in row
    assert '<td class="field-answered_by">Qwen3-VL-2B</td>' in row
    assert "icon-no.svg" in row  # not generating


@pytest.mark.parametrize(
    "term",
    ["WHAT IS", "alice", "alice@example.org", "red** square", "this"],
    ids=["title", "name", "mail", "answer", "question"],
)
def test_a_conversation_is_found_by_any_of_its_words(
    carol: User, bob: User, turn: Turn, term: str
) -> None:
    a_turn(bob, "Something else")

    assert titles(carol, q=term) == {"What is &lt;b&gt;this&lt;/b&gt;?"}


@pytest.mark.parametrize("term", ["no such words", "%", "'"])
def test_other_words_find_nothing(carol: User, turn: Turn, term: str) -> None:
    assert titles(carol, q=term) == set()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"reply": "failed"}, {"broken"}),
        ({"reply": "done"}, {"whole"}),
        ({"demo": "1"}, {"whole"}),
        ({"demo": "0"}, {"broken"}),
        ({"reply": "nonsense"}, {"broken", "whole"}),
        ({}, {"broken", "whole"}),
    ],
)
def test_filters_keep_what_they_name(
    carol: User, alice: User, query: dict[str, str], found: set[str]
) -> None:
    broken, whole = a_turn(alice, "broken").reply, a_turn(alice, "whole").reply
    end_reply(broken, "", state="failed", finish_reason="", error_code="generation_failed")
    end_reply(whole, "yes", is_demo=True)

    assert titles(carol, **query) == found


def test_replies_are_found_by_their_error_and_no_filter_is_without_a_name(
    carol: User, alice: User
) -> None:
    allow(carol, "view_reply")
    broken, whole = a_turn(alice, "broken").reply, a_turn(alice, "whole").reply
    end_reply(broken, "", state="failed", finish_reason="", error_code="out_of_memory")
    end_reply(whole, "yes")
    url = reverse("admin:chat_reply_changelist")

    everything, found = page(carol, url), page(carol, url, error_code="out_of_memory")

    assert 'href="?error_code=out_of_memory"' in everything
    assert 'href="?error_code="' not in everything
    assert [str(reply.pk) in found for reply in (broken, whole)] == [True, False]


def test_the_transcript_reads_like_the_conversation(carol: User, turn: Turn) -> None:
    html = page(carol, change_url(turn.conversation))

    assert "What is &lt;b&gt;this&lt;/b&gt;?" in html
    assert "A <strong>red</strong> square &lt;script&gt;alert(1)&lt;/script&gt;." in html
    assert "Qwen3-VL-2B" in html
    assert "<dt>completion_tokens</dt><dd>7</dd>" in html
    assert "<dt>first_token_ms</dt><dd>120</dd>" in html
    assert html.index("What is") < html.rindex("<strong>red</strong>")


def test_pictures_link_to_their_full_size(carol: User, turn: Turn) -> None:
    picture = Image.objects.get()

    html = page(carol, change_url(turn.conversation))

    assert f'<a href="/api/images/{picture.pk}/"><img' in html
    assert desk_of(carol).get(f"/api/images/{picture.pk}/?size=thumb").status_code == 200


def test_without_the_permission_pictures_are_named_only(carol: User, turn: Turn) -> None:
    carol.user_permissions.remove(Permission.objects.get(codename="view_image"))

    html = page(carol, change_url(turn.conversation))

    assert "/api/images/" not in html
    assert "Picture 1" in html


def test_versions_beside_the_shown_branch_are_marked(carol: User, turn: Turn) -> None:
    aside = Message.objects.create(
        conversation=turn.conversation, parent=turn.message, role=Message.Role.ASSISTANT
    )
    end_reply(Reply.objects.create(message=aside), "A scarlet square.")

    html = page(carol, change_url(turn.conversation))

    assert "version 1 of 2</span>" in html
    assert "version 2 of 2, not shown</span>" in html
    assert html.count("review-entry--aside") == 1


def test_a_very_long_conversation_is_shown(carol: User, alice: User) -> None:
    turn = a_turn(alice, "start")
    parent, messages = turn.reply.message, []
    for _ in range(1200):
        parent = Message(
            conversation=turn.conversation, parent=parent, role="user", author=alice, text="deep"
        )
        messages.append(parent)
    Message.objects.bulk_create(messages)

    assert page(carol, change_url(turn.conversation)).count(">deep</div>") == 1200


@pytest.mark.parametrize("model", ["conversation", "reply", "image"])
def test_pages_cost_the_same_for_any_number_of_rows(
    carol: User,
    alice: User,
    model: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(12):
        picture = a_picture(alice, color=(number, 0, 0))
        end_reply(a_turn(alice, f"{number}", image_ids=[picture.pk]).reply, "yes")
    desk, url = desk_of(carol), reverse(f"admin:chat_{model}_changelist")

    # Session, person, permissions of the person and of groups, dates, count, page, filters.
    with django_assert_max_num_queries(11):
        assert desk.get(url).status_code == 200


def test_a_transcript_costs_the_same_for_any_length(
    carol: User, turn: Turn, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(6):
        later = a_turn(alice, f"{number}", conversation_id=turn.conversation.pk)
        end_reply(later.reply, "yes")
    desk, url = desk_of(carol), change_url(turn.conversation)

    # Session, person, two for permissions, conversation, owner, messages, pictures.
    with django_assert_max_num_queries(9):
        assert desk.get(url).content.count(b"<article") == 14


def test_operators_see_the_queue_and_not_the_text(carol: User, alice: User) -> None:
    reply = a_reply(alice, waiting_s=90, state="running", attempt=2, lease_owner="worker-7")
    Reply.objects.update(text="private words")

    listed = page(carol, reverse("admin:chat_reply_changelist"))
    shown = page(carol, change_url(reply))

    assert "worker-7" in listed
    assert re.search(r"9\d\.\d s", listed)
    assert f"#message-{reply.pk}" in shown
    assert "private words" not in listed + shown


def test_the_age_of_an_ended_reply_stands_still(carol: User, alice: User) -> None:
    reply = a_reply(alice, waiting_s=30)
    end_reply(reply, "yes", ended_at=reply.queued_at)

    assert '<td class="field-age">0.0 s</td>' in page(carol, reverse("admin:chat_reply_changelist"))


def test_pictures_are_listed_with_owner_and_size(carol: User, alice: User) -> None:
    picture = a_picture(alice)

    html = page(carol, reverse("admin:chat_image_changelist"))

    assert f'src="/api/images/{picture.pk}/?size=thumb"' in html
    assert "64 × 64" in html
    assert "alice" in html
    assert picture.sha256 in page(carol, change_url(picture))


ROWS = ["conversation", "reply", "image"]


def row_of(turn: Turn, model: str) -> Any:
    return {"conversation": turn.conversation, "reply": turn.reply, "image": Image.objects.get()}[
        model
    ]


@pytest.mark.parametrize("model", ROWS)
def test_not_even_a_superuser_adds_or_changes_content(
    admin_user: User, turn: Turn, model: str
) -> None:
    row, desk = row_of(turn, model), desk_of(admin_user)
    rows = type(row).objects.filter(pk=row.pk)
    before = rows.values().get()

    added = desk.post(reverse(f"admin:chat_{model}_add"), {})
    changed = desk.post(change_url(row), {"title": "changed", "state": "failed"})

    assert added.status_code == changed.status_code == 403
    assert rows.values().get() == before
    assert type(row).objects.count() == len(rows)


@pytest.mark.parametrize("model", ["reply", "image"])
def test_parts_of_a_conversation_are_not_deleted_alone(
    admin_user: User, turn: Turn, model: str
) -> None:
    row = row_of(turn, model)
    desk = desk_of(admin_user)

    alone = desk.post(reverse(f"admin:chat_{model}_delete", args=(row.pk,)), {"post": "yes"})
    desk.post(
        reverse(f"admin:chat_{model}_changelist"),
        {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"},
    )

    assert alone.status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("way", ["page", "action"])
def test_a_conversation_is_deleted_whole(admin_user: User, turn: Turn, way: str) -> None:
    desk, key = desk_of(admin_user), str(turn.conversation.pk)

    if way == "page":
        desk.post(reverse("admin:chat_conversation_delete", args=(key,)), {"post": "yes"})
    else:
        desk.post(LIST, {"action": "delete_selected", "_selected_action": [key], "post": "yes"})

    assert not Conversation.objects.exists()
    assert not Reply.objects.exists()


def test_reviewers_delete_nothing_without_the_permission(carol: User, turn: Turn) -> None:
    url = reverse("admin:chat_conversation_delete", args=(turn.conversation.pk,))

    refused = desk_of(carol).post(url, {"post": "yes"})
    allow(carol, "delete_conversation", "delete_reply")
    desk_of(carol).post(url, {"post": "yes"})

    assert refused.status_code == 403
    assert not Conversation.objects.exists()


def test_a_person_with_conversations_can_be_deleted(
    admin_user: User, turn: Turn, alice: User
) -> None:
    url = reverse("admin:auth_user_delete", args=(alice.pk,))

    desk_of(admin_user).post(url, {"post": "yes"})

    assert not Conversation.objects.exists()


@pytest.mark.parametrize("model", ROWS)
@pytest.mark.parametrize("person", ["alice", "bob", "staff-without-permissions"])
def test_others_see_no_admin_page(
    request: pytest.FixtureRequest, carol: User, turn: Turn, model: str, person: str
) -> None:
    carol.user_permissions.clear()
    user = carol if person.startswith("staff") else request.getfixturevalue(person)
    desk = desk_of(user)

    urls = (reverse(f"admin:chat_{model}_changelist"), change_url(row_of(turn, model)))

    assert {desk.get(url).status_code for url in urls} <= {302, 403}


@pytest.mark.parametrize("model", ["index", *ROWS])
def test_pages_hold_nothing_that_the_policy_forbids(carol: User, turn: Turn, model: str) -> None:
    urls = [reverse("admin:index")]
    if model != "index":
        urls = [reverse(f"admin:chat_{model}_changelist"), change_url(row_of(turn, model))]
    html = "".join(page(carol, url) for url in urls)

    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert not re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", html)


def test_the_admin_carries_our_name_and_stylesheet(carol: User, turn: Turn) -> None:
    html = page(carol, change_url(turn.conversation))

    assert "Conversations about pictures: administration" in html
    assert "chat/css/admin.css" in html
