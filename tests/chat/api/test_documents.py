"""PDFs over HTTP: kept, looked at, taken as pictures, run through; each only by its owner."""

from __future__ import annotations

import uuid
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as PillowImage

from chat.models import Conversation, Document, DocumentRun, Image, Reply
from chat.services import document_runs, documents
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.decoding import pdf_corpus as corpus
from tests.chat.factories import end_reply

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

# Every way in, with the body it takes; `{id}` is a document's or a run's.
DOCUMENT_CALLS: dict[str, tuple[str, str, Any]] = {
    "show": ("get", "/api/documents/{id}/", None),
    "delete": ("delete", "/api/documents/{id}/", None),
    "thumbnail": ("get", "/api/documents/{id}/pages/1/", None),
    "pages": ("post", "/api/documents/{id}/pages/", {"pages": [1]}),
    "start": ("post", "/api/documents/{id}/runs/", {"pages": [1]}),
}
RUN_CALLS: dict[str, tuple[str, str, Any]] = {
    "show": ("get", "/api/runs/{id}/", None),
    "stop": ("post", "/api/runs/{id}/stop/", {}),
    "continue": ("post", "/api/runs/{id}/continue/", {}),
    "export": ("get", "/api/runs/{id}/export/", None),
}


@pytest.fixture(autouse=True)
def _small_pages(settings: SettingsWrapper) -> None:
    settings.VL_PAGE_PIXELS = 10_000


@pytest.fixture
def document(transactional_db: None, alice: User) -> Document:
    return documents.store_upload(alice, corpus.SOUND, name="report.pdf")


@pytest.fixture
def run(alice: User, document: Document) -> DocumentRun:
    return document_runs.start(alice, document, [1, 2], text="")


def upload(user: User | None, content: bytes = corpus.SOUND) -> Any:
    file = SimpleUploadedFile("report.pdf", content, "application/pdf")
    return browser_of(user).post("/api/documents/", {"file": file})


def call(user: User | None, named: tuple[str, str, Any], id_: object) -> Any:
    method, path, body = named
    options = {"content_type": "application/json"} if body is not None else {}
    arguments = [body] if body is not None else []
    return getattr(browser_of(user), method)(path.format(id=id_), *arguments, **options)


def test_an_upload_tells_of_its_pages(alice: User) -> None:
    response = upload(alice)

    kept = Document.objects.get()
    assert response.status_code == 201
    body = response.json()
    pages = body.pop("pages")
    assert body == {
        "id": str(kept.pk),
        "name": "report.pdf",
        "bytes": len(corpus.SOUND),
        "is_used": False,
    }
    assert [page["number"] for page in pages] == [1, 2, 3]
    assert pages[0]["width"] < pages[0]["height"]
    assert upload(alice).json() == call(alice, DOCUMENT_CALLS["show"], kept.pk).json()


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(b"", 400, "document_unreadable", id="no-bytes"),
        pytest.param(b"words", 400, "document_unreadable", id="text"),
        pytest.param(corpus.SOUND[:100], 400, "document_unreadable", id="truncated"),
        pytest.param(corpus.locked(), 400, "document_locked", id="password"),
        pytest.param(corpus.pdf(9), 413, "document_too_long", id="pages"),
        pytest.param(corpus.SOUND + bytes(20_000), 413, "image_too_large", id="bytes"),
    ],
)
def test_bad_files_are_refused(
    alice: User,
    media: Path,
    settings: SettingsWrapper,
    content: bytes,
    status: int,
    code: str,
) -> None:
    settings.VL_DOCUMENT_PAGES = 8
    settings.VL_UPLOAD_BYTES = 20_000

    response = upload(alice, content)

    assert (response.status_code, code_of(response)) == (status, code)
    assert not Document.objects.exists()
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_nobody_cannot_upload(db: None) -> None:
    assert code_of(upload(None)) == "unauthenticated"


def test_another_site_cannot_upload_for_a_person(alice: User) -> None:
    browser = browser_of(alice, enforce_csrf_checks=True)

    assert browser.post("/api/documents/", {"file": "x"}).status_code == 403


def test_an_upload_without_a_file_is_a_bad_frame(alice: User) -> None:
    assert code_of(browser_of(alice).post("/api/documents/", {})) == "bad_frame"


@pytest.mark.parametrize("named", DOCUMENT_CALLS.values(), ids=DOCUMENT_CALLS)
def test_a_stranger_s_document_looks_exactly_like_a_missing_one(
    bob: User, carol: User, document: Document, named: tuple[str, str, Any]
) -> None:
    missing = call(bob, named, uuid.uuid4())

    assert (missing.status_code, code_of(missing)) == (404, "document_not_found")
    for person in (bob, carol):  # who reviews pictures reads no PDF either
        foreign = call(person, named, document.pk)
        assert (foreign.status_code, foreign.content) == (404, missing.content)
        assert dict(foreign.items()) == dict(missing.items())
    assert code_of(call(None, named, document.pk)) == "unauthenticated"
    assert Document.objects.exists()
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("named", RUN_CALLS.values(), ids=RUN_CALLS)
def test_a_stranger_s_run_looks_exactly_like_a_missing_one(
    bob: User, run: DocumentRun, named: tuple[str, str, Any]
) -> None:
    foreign, missing = call(bob, named, run.pk), call(bob, named, uuid.uuid4())

    assert (foreign.status_code, code_of(foreign)) == (404, "document_not_found")
    assert foreign.content == missing.content
    assert code_of(call(None, named, run.pk)) == "unauthenticated"
    run.refresh_from_db()
    assert run.state == "running"


def test_a_page_is_shown_small_inert_and_private(alice: User, document: Document) -> None:
    response = call(alice, DOCUMENT_CALLS["thumbnail"], document.pk)

    assert (response.status_code, response["Content-Type"]) == (200, "image/webp")
    assert max(PillowImage.open(BytesIO(response.content)).size) <= 320
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cache-Control"].startswith("private")
    assert not Image.objects.exists()


def test_pages_are_taken_as_ordinary_pictures(alice: User, document: Document) -> None:
    named = ("post", "/api/documents/{id}/pages/", {"pages": [3, 1]})

    response = call(alice, named, document.pk)

    taken = response.json()["images"]
    assert (response.status_code, [image["number"] for image in taken]) == (201, [3, 1])
    assert taken[0].keys() > {"number", "id", "width", "height", "bytes", "type", "tokens"}
    shown = browser_of(alice).get(f"/api/images/{taken[0]['id']}/")
    assert PillowImage.open(BytesIO(shown.content)).size == (taken[0]["width"], taken[0]["height"])


def test_no_more_pages_are_taken_than_fit_a_question(
    alice: User, document: Document, settings: SettingsWrapper
) -> None:
    settings.VL_IMAGES_PER_TURN = 2
    named = ("post", "/api/documents/{id}/pages/", {"pages": [1, 2, 3]})

    assert code_of(call(alice, named, document.pk)) == "too_many_images"
    assert not Image.objects.exists()


def test_pictures_outlive_the_document(alice: User, document: Document) -> None:
    call(alice, DOCUMENT_CALLS["pages"], document.pk)

    assert call(alice, DOCUMENT_CALLS["delete"], document.pk).status_code == 204
    assert code_of(call(alice, DOCUMENT_CALLS["show"], document.pk)) == "document_not_found"
    assert browser_of(alice).get(f"/api/images/{Image.objects.get().pk}/").status_code == 200


@pytest.mark.parametrize("path", ["pages", "runs"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"pages": []}, id="no-page"),
        pytest.param({"pages": [0]}, id="zero"),
        pytest.param({"pages": [2**40]}, id="huge"),
        pytest.param({"pages": "1-3"}, id="text"),
        pytest.param({"pages": [1], "what": 1}, id="more"),
        pytest.param({"pages": [1], "text": "\x00"}, id="no-text"),
        pytest.param("{", id="no-json"),
    ],
)
def test_malformed_choices_are_bad_frames(
    alice: User, document: Document, path: str, body: Any
) -> None:
    response = call(alice, ("post", f"/api/documents/{{id}}/{path}/", body), document.pk)

    assert (response.status_code, code_of(response)) == (400, "bad_frame")


@pytest.mark.parametrize("named", DOCUMENT_CALLS.values(), ids=DOCUMENT_CALLS)
def test_a_malformed_id_is_a_bad_frame(alice: User, named: tuple[str, str, Any]) -> None:
    assert code_of(call(alice, named, "x")) == "bad_frame"


def test_a_page_that_is_not_there_is_not_found(alice: User, document: Document) -> None:
    for number in (0, 4, 2**70):
        response = browser_of(alice).get(f"/api/documents/{document.pk}/pages/{number}/")
        assert (response.status_code, code_of(response)) == (404, "document_not_found")


def test_a_run_is_started_told_of_and_given_as_a_file(alice: User, document: Document) -> None:
    named = ("post", "/api/documents/{id}/runs/", {"pages": [2, 1], "text": "Read it."})
    started = call(alice, named, document.pk)
    reply = Reply.objects.get()
    end_reply(reply, "# Two")

    told = call(alice, RUN_CALLS["show"], started.json()["id"])
    exported = call(alice, RUN_CALLS["export"], started.json()["id"])

    assert started.status_code == 202
    assert call(alice, DOCUMENT_CALLS["show"], document.pk).json()["is_used"] is True
    body = told.json()
    assert (body["name"], body["state"]) == ("report.pdf", "running")
    assert body["document"] == str(document.pk)
    assert body["conversation"] == str(Conversation.objects.get().pk)
    waiting, done = body["pages"]
    assert waiting == {"number": 1, "state": "waiting", "message": None, "reply": None}
    assert (done["number"], done["state"], done["reply"]) == (2, "done", str(reply.pk))
    assert exported["Content-Type"] == "text/markdown; charset=utf-8"
    assert exported["Content-Disposition"] == 'attachment; filename="report.md"'
    assert exported.content.decode().endswith("<!-- report.pdf, 2 -->\n\n# Two\n")


def test_stopping_a_run_stops_its_answer_and_going_on_asks_again(
    alice: User, run: DocumentRun
) -> None:
    stopped = call(alice, RUN_CALLS["stop"], run.pk)

    assert (stopped.status_code, stopped.json()["state"]) == (202, "stopped")
    assert [page["state"] for page in stopped.json()["pages"]] == ["stopped", "waiting"]

    resumed = call(alice, RUN_CALLS["continue"], run.pk)

    assert (resumed.status_code, resumed.json()["state"]) == (202, "running")
    assert [page["state"] for page in resumed.json()["pages"]] == ["waiting", "running"]


@pytest.mark.parametrize("named", [DOCUMENT_CALLS["start"], RUN_CALLS["continue"]])
def test_runs_count_as_turns_in_a_minute(
    alice: User, run: DocumentRun, settings: SettingsWrapper, named: tuple[str, str, Any]
) -> None:
    settings.VL_PERSON_TURNS_PER_MINUTE = 1
    id_ = run.pk if "/runs/{id}" in named[1] else run.document_id
    call(alice, named, id_)

    assert code_of(call(alice, named, id_)) == "rate_limited"


def test_a_run_without_its_document_cannot_go_on(alice: User, run: DocumentRun) -> None:
    Document.objects.get().delete()

    assert code_of(call(alice, RUN_CALLS["continue"], run.pk)) == "document_not_found"
