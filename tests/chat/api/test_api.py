"""What holds for the whole JSON API: its description, its docs, its errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.test import RequestFactory
from ninja import NinjaAPI

from chat.api import api
from chat.api.errors import install_error_handlers
from chat.errors import ChatError, ErrorCode
from tests.chat.api.conftest import browser_of

if TYPE_CHECKING:
    from django.http import HttpResponse

CALLS = {
    ("post", "/api/images/"),
    ("get", "/api/images/{image_id}/"),
    ("get", "/api/images/{image_id}/price/"),
    ("post", "/api/documents/"),
    ("get", "/api/documents/{document_id}/"),
    ("delete", "/api/documents/{document_id}/"),
    ("delete", "/api/messages/{message_id}/"),
    ("get", "/api/documents/{document_id}/pages/{number}/"),
    ("post", "/api/documents/{document_id}/pages/"),
    ("post", "/api/documents/{document_id}/runs/"),
    ("get", "/api/runs/{run_id}/"),
    ("post", "/api/runs/{run_id}/stop/"),
    ("post", "/api/runs/{run_id}/continue/"),
    ("get", "/api/runs/{run_id}/export/"),
    ("get", "/api/presets/"),
    ("post", "/api/presets/"),
    ("patch", "/api/presets/{preset_id}/"),
    ("delete", "/api/presets/{preset_id}/"),
    ("get", "/api/conversations/"),
    ("patch", "/api/conversations/{conversation_id}/"),
    ("delete", "/api/conversations/{conversation_id}/"),
    ("post", "/api/conversations/{conversation_id}/restore/"),
    ("get", "/api/conversations/{conversation_id}/messages/"),
    ("get", "/api/conversations/{conversation_id}/export/"),
    ("get", "/api/info/"),
    ("get", "/api/account/export/"),
    ("post", "/api/conversations/"),
    ("get", "/api/conversations/{conversation_id}/"),
    ("post", "/api/conversations/{conversation_id}/turns/"),
    ("post", "/api/messages/{message_id}/edit/"),
    ("post", "/api/replies/{reply_id}/regenerate/"),
    ("post", "/api/replies/{reply_id}/continue/"),
    ("get", "/api/replies/{reply_id}/blocks/"),
    ("get", "/api/replies/{reply_id}/events/"),
    ("post", "/api/replies/{reply_id}/stop/"),
    ("post", "/api/replies/{reply_id}/feedback/"),
    ("delete", "/api/replies/{reply_id}/feedback/"),
}


def test_the_description_lists_every_call(db: None) -> None:
    paths = browser_of(None).get("/api/openapi.json").json()["paths"]

    assert {(method, path) for path, calls in paths.items() for method in calls} == CALLS


def test_every_call_asks_who_calls() -> None:
    paths = api.get_openapi_schema()["paths"]

    assert all(call["security"] for calls in paths.values() for call in calls.values())


def test_the_docs_load_nothing_from_elsewhere_and_run_nothing_inline(db: None) -> None:
    response = browser_of(None).get("/api/docs")

    html = response.content.decode()
    assert response.status_code == 200
    assert "swagger-ui" in html
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", html)
    inline = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html)
    assert not inline + re.findall(r"<style|\sstyle=|\son\w+=", html)


def answer_to(error: Exception) -> HttpResponse:
    isolated = NinjaAPI(urls_namespace="isolated")
    install_error_handlers(isolated)
    return isolated.on_exception(RequestFactory().get("/"), error)


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_its_status(code: ErrorCode) -> None:
    expected = {"unauthenticated": 401, "rate_limited": 429}
    expected |= {"image_too_large": 413, "document_too_long": 413, "image_type_unsupported": 415}
    expected |= {"preset_name_taken": 409, "already_running": 409, "queue_full": 503}
    expected |= {"quota_exceeded": 403}

    response = answer_to(ChatError(code))

    fallback = 404 if code.endswith("_not_found") else 400
    assert response.status_code == expected.get(code, fallback)


def test_where_waiting_helps_the_answer_says_how_long() -> None:
    response = answer_to(ChatError(ErrorCode.RATE_LIMITED, retry_after_s=1.2))

    assert response["Retry-After"] == "2"
    assert not answer_to(ChatError(ErrorCode.RATE_LIMITED)).has_header("Retry-After")
