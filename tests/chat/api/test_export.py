"""A conversation as a file: complete, self-contained, inert, and the owner's alone."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from chat.models import Reply
from tests.chat.api.conftest import body_of, browser_of, code_of
from tests.chat.factories import a_picture, a_turn

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from chat.models import Conversation, Image

HOSTILE = "<script>alert(1)</script> ![x](https://elsewhere.example/x.png)"


@pytest.fixture
def picture(alice: User) -> Image:
    return a_picture(alice)


@pytest.fixture
def conversation(alice: User, picture: Image) -> Conversation:
    """Have one question with a picture, answered with a table and something hostile."""
    turn = a_turn(alice, text=f"What is 2 < 3? {HOSTILE}", image_ids=[picture.pk])
    text = f"| a | b |\n|---|---|\n| 1 | 2 |\n\n{HOSTILE}"
    Reply.objects.filter(pk=turn.reply.pk).update(
        state="done",
        text=text,
        model="the model",
        finish_reason="stop",
        ended_at=timezone.now(),
    )
    conversation: Conversation = turn.conversation
    conversation.title = "Bread & <b>butter</b> 面包/.."
    conversation.save()
    return conversation


def export(user: User | None, conversation: Conversation, **query: str) -> Any:
    return browser_of(user).get(f"/api/conversations/{conversation.pk}/export/", query)


def test_markdown_holds_the_shown_branch_as_it_was_written(
    alice: User, conversation: Conversation, picture: Image
) -> None:
    response = export(alice, conversation, format="md")

    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert body_of(response) == (
        "# Bread & <b>butter</b> 面包/..\n\n"
        f"## Question\n\n*Picture 1 ({picture.width_px} × {picture.height_px})*\n\n"
        f"What is 2 < 3? {HOSTILE}\n\n"
        f"## Answer (the model)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n{HOSTILE}\n"
    )


def test_html_holds_its_pictures_and_loads_and_runs_nothing(
    alice: User, conversation: Conversation, picture: Image
) -> None:
    response = export(alice, conversation, format="html")

    html = body_of(response)
    assert response["Content-Type"] == "text/html; charset=utf-8"
    with picture.file.open() as file:
        assert base64.b64encode(file.read()).decode() in html
    assert "<table" in html
    assert "<script" not in html
    assert "<b>butter" not in html
    assert set(re.findall(r"src=\"([^:]*):", html)) == {"data"}
    assert not re.findall(r"<(?:link|iframe|object|embed|base)|url\(|@import", html)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in html
    assert html.rstrip().endswith("</html>")


def test_json_holds_everything(alice: User, conversation: Conversation, picture: Image) -> None:
    whole = json.loads(body_of(export(alice, conversation, format="json")))

    tree = browser_of(alice).get(f"/api/conversations/{conversation.pk}/messages/").json()
    assert {name: whole[name] for name in tree} == tree
    assert (whole["id"], whole["title"]) == (str(conversation.pk), conversation.title)


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_a_file_is_downloaded_under_a_harmless_name(
    alice: User, conversation: Conversation, form: str
) -> None:
    response = export(alice, conversation, format=form)

    disposition = response["Content-Disposition"]
    assert disposition.startswith("attachment; filename*=utf-8''Bread-b-butter-b-")
    assert disposition.endswith(f".{form}")
    assert "/" not in disposition
    assert (response["X-Content-Type-Options"], response["Cache-Control"]) == (
        "nosniff",
        "no-store",
    )


def test_a_picture_whose_file_is_gone_is_only_named(
    alice: User, conversation: Conversation, picture: Image
) -> None:
    picture.file.delete(save=False)

    html = body_of(export(alice, conversation, format="html"))

    assert "<img" not in html
    assert "Picture 1" in html


def test_an_unfinished_answer_is_written_as_far_as_it_is(alice: User) -> None:
    turn = a_turn(alice)
    Reply.objects.filter(pk=turn.reply.pk).update(text="So far")

    assert body_of(export(alice, turn.conversation)).endswith("## Answer\n\nSo far\n")


def test_words_are_in_the_readers_language(alice: User, conversation: Conversation) -> None:
    browser = browser_of(alice, language="zh-hans")

    html = body_of(browser.get(f"/api/conversations/{conversation.pk}/export/?format=html"))

    assert '<html lang="zh-hans">' in html
    assert "图片 1" in html


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_somebody_elses_conversation_is_not_found(
    bob: User, conversation: Conversation, form: str
) -> None:
    response = export(bob, conversation, format=form)

    assert (response.status_code, code_of(response)) == (404, "conversation_not_found")


def test_an_unknown_form_is_refused(alice: User, conversation: Conversation) -> None:
    response = export(alice, conversation, format="exe")

    assert (response.status_code, code_of(response)) == (400, "bad_frame")
