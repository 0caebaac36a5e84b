"""The pages and fragments: who sees them, and what stands in them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import translation

from chat.models import Reply
from tests.chat.factories import a_picture, a_reply, a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db
FAILED = {"state": "failed", "finish_reason": "", "error_code": "out_of_memory"}
STOPPED = {"state": "stopped", "finish_reason": "stopped"}


def get(user: User | None, path: str, **query: str) -> Any:
    """Ask for a page as somebody."""
    client = Client()
    if user is not None:
        client.force_login(user)
    return client.get(path, query)


def page_of(reply: Reply) -> str:
    """Address of the reply's conversation."""
    return reverse("chat:conversation", args=[reply.message.conversation_id])


def fragment_of(reply: Reply) -> str:
    """Address of the reply's message alone."""
    return reverse("chat:message", args=[reply.message.conversation_id, reply.pk])


def data_of(response: Any) -> dict[str, Any]:
    """Read the JSON block that the page gives its scripts."""
    found = re.search(r'<script id="page-data"[^>]*>(.*?)</script>', response.content.decode())
    assert found is not None
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def test_home_is_empty_and_names_the_limits(alice: User) -> None:
    response = get(alice, "/")
    assert data_of(response)["conversation"] is None
    assert data_of(response)["limits"]["images_per_turn"] == settings.VL_IMAGES_PER_TURN
    assert b"data-welcome>" in response.content


@pytest.mark.parametrize("name", ["home", "page", "fragment", "list"])
def test_signed_out_person_is_sent_to_the_sign_in_page(alice: User, name: str) -> None:
    reply = a_reply(alice)
    pages = {"home": "/", "page": page_of(reply), "fragment": fragment_of(reply)}
    path = pages.get(name, reverse("chat:conversations"))
    response = get(None, path)
    assert (response.status_code, response.url) == (302, f"/accounts/login/?next={path}")


def test_stranger_finds_neither_page_nor_message(alice: User, bob: User) -> None:
    reply = a_reply(alice)
    assert get(bob, page_of(reply)).status_code == 404
    assert get(bob, fragment_of(reply)).status_code == 404


def test_message_is_not_found_under_another_conversation(alice: User) -> None:
    reply, other = a_reply(alice), a_reply(alice)
    path = reverse("chat:message", args=[other.message.conversation_id, reply.pk])
    assert get(alice, path).status_code == 404


def test_pages_take_no_post(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    assert client.post("/").status_code == 405


def test_only_one_policy_may_write_markup_and_nothing_is_inline(alice: User) -> None:
    reply = a_reply(alice)
    response = get(alice, page_of(reply))
    policy = response.headers["Content-Security-Policy"]
    directives = {directive.strip() for directive in policy.split(";")}
    assert {"require-trusted-types-for 'script'", "trusted-types chat"} <= directives
    assert "unsafe" not in policy
    assert not re.search(rb"<script(?![^>]*(src|application/json))|<style|\son\w+=| style=",
                         response.content)  # fmt: skip
    assert "no-store" in response.headers["Cache-Control"]


def test_ended_answer_is_rendered_and_an_open_one_is_text(alice: User) -> None:
    done, running = a_reply(alice), a_reply(alice, state="running", lease_owner="x", text="**so**")
    end_reply(done, "**bold**", model="demo", is_demo=True)
    assert "<strong>bold</strong>" in get(alice, page_of(done)).content.decode()
    shown = get(alice, fragment_of(running)).content.decode()
    assert '<div class="live-text" data-live dir="auto">**so**</div></div>' in shown
    assert 'data-chars="6"' in shown
    assert 'aria-busy="true"' in shown


def test_pictures_and_questions_are_shown_and_markup_is_escaped(alice: User) -> None:
    picture = a_picture(alice)
    turn = a_turn(alice, "<b>What?</b>", image_ids=(picture.pk,))
    page = get(alice, page_of(turn.reply)).content.decode()
    assert f'src="/api/images/{picture.pk}/?size=thumb"' in page
    assert "&lt;b&gt;What?&lt;/b&gt;" in page
    assert "<b>What?" not in page


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param(STOPPED, "Stopped.", id="stopped"),
        pytest.param({"finish_reason": "length"}, "Cut off at the length limit.", id="length"),
        pytest.param(FAILED, "There is not enough memory", id="failed"),
        pytest.param({**FAILED, "error_code": "of_old"}, "Something went wrong", id="unknown"),
    ],
)
def test_end_that_is_not_plain_is_told(alice: User, fields: dict[str, str], text: str) -> None:
    reply = a_reply(alice)
    end_reply(reply, "A red", **fields)
    assert text in get(alice, fragment_of(reply)).content.decode()


def test_page_speaks_the_readers_language(alice: User) -> None:
    client = Client(headers={"accept-language": "zh-CN"})
    client.force_login(alice)
    response = client.get("/")
    assert b'<html lang="zh-hans"' in response.content
    assert data_of(response)["texts"]["stage_prefill"] == "正在思考…"


@pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "429", "500"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_error_page_needs_no_request(code: str, language: str) -> None:
    with translation.override(language):
        page = render_to_string(f"{code}.html")
    assert f'<p class="card__code" aria-hidden="true">{code[:3]}</p>' in page
    assert f'lang="{language}"' in page
