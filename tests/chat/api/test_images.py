"""Uploading and seeing pictures over HTTP."""

from __future__ import annotations

import uuid
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as PillowImage

from chat.models import Image
from chat.services.images import store_upload
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.decoding import picture_corpus as corpus
from tests.chat.decoding.picture_corpus import drawn, encoded

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

PNG = encoded(drawn(), "PNG")


def upload(user: User | None, content: bytes = PNG, **extra: Any) -> Any:
    file = SimpleUploadedFile("holiday.png", content, "image/png")
    return browser_of(user).post("/api/images/", {"file": file}, **extra)


def show(user: User | None, image_id: object, size: str = "") -> Any:
    return browser_of(user).get(f"/api/images/{image_id}/", {"size": size} if size else {})


def test_an_upload_tells_size_type_and_cost(alice: User) -> None:
    response = upload(alice, corpus.oriented(6, "JPEG"))

    image = Image.objects.get(owner=alice)
    assert response.status_code == 201
    body = response.json()
    tokens = body.pop("tokens")
    assert body == {
        "id": str(image.pk),
        "width": 60,
        "height": 40,
        "bytes": image.size_bytes,
        "type": "image/jpeg",
        "seconds": None,
    }
    assert list(tokens) == ["fast", "balanced", "detail", "full"]
    assert sorted(tokens.values()) == list(tokens.values())
    assert tokens["fast"] > 0


def test_the_same_file_twice_is_one_picture(alice: User) -> None:
    assert upload(alice).json() == upload(alice).json()
    assert Image.objects.count() == 1


def test_nobody_cannot_upload(db: None) -> None:
    response = upload(None)

    assert response.status_code == 401
    assert code_of(response) == "unauthenticated"
    assert not Image.objects.exists()


def test_a_deactivated_person_cannot_upload(alice: User) -> None:
    browser = browser_of(alice)
    alice.is_active = False
    alice.save()

    response = browser.post("/api/images/", {"file": SimpleUploadedFile("x.png", PNG)})

    assert response.status_code == 401


def test_another_site_cannot_upload_for_a_person(alice: User) -> None:
    browser = browser_of(alice, enforce_csrf_checks=True)

    response = browser.post("/api/images/", {"file": SimpleUploadedFile("x.png", PNG)})

    assert response.status_code == 403
    assert code_of(response) == "bad_frame"
    assert not Image.objects.exists()


def test_the_page_can_upload_with_its_csrf_token(alice: User) -> None:
    browser = browser_of(alice, enforce_csrf_checks=True)
    token = "a" * 32
    browser.cookies["csrftoken"] = token

    response = browser.post(
        "/api/images/",
        {"file": SimpleUploadedFile("x.png", PNG)},
        headers={"X-CSRFToken": token},
    )

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(corpus.SVG, 415, "image_type_unsupported", id="svg"),
        pytest.param(corpus.NO_PICTURES["html"], 415, "image_type_unsupported", id="html"),
        pytest.param(PNG[:90], 400, "image_unreadable", id="truncated"),
        pytest.param(b"", 400, "image_unreadable", id="no-bytes"),
        pytest.param(corpus.png_claiming(60_000, 60_000), 413, "image_too_large", id="bomb"),
    ],
)
def test_bad_files_are_refused(
    alice: User, media: Path, content: bytes, status: int, code: str
) -> None:
    response = upload(alice, content)

    assert response.status_code == status
    assert code_of(response) == code
    assert not Image.objects.exists()
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_a_file_over_the_limit_is_refused(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_UPLOAD_BYTES = 2048

    response = upload(alice, bytes(2049))

    assert response.status_code == 413
    assert code_of(response) == "image_too_large"


def test_a_far_too_long_body_is_refused_before_it_is_read(
    alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_UPLOAD_BYTES = 2048
    settings.FILE_UPLOAD_HANDLERS = ["nowhere.it.would.fail"]

    response = upload(alice, bytes(2048 + 65_537))

    assert response.status_code == 413


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param({}, None, id="no-file"),
        pytest.param({"file": "text"}, None, id="text-instead"),
        pytest.param({"other": SimpleUploadedFile("x.png", PNG)}, None, id="other-field"),
        pytest.param("{}", "application/json", id="json"),
        pytest.param(b"xx", "multipart/form-data; boundary=b", id="broken-multipart"),
        pytest.param(b"xx", "multipart/form-data", id="no-boundary"),
    ],
)
def test_malformed_uploads_are_bad_frames(alice: User, body: Any, content_type: str | None) -> None:
    options: dict[str, Any] = {"content_type": content_type} if content_type else {}

    response = browser_of(alice).post("/api/images/", body, **options)

    assert response.status_code == 400
    assert code_of(response) == "bad_frame"


def test_refusals_speak_the_reader_s_language(alice: User) -> None:
    file = SimpleUploadedFile("x.svg", corpus.SVG)
    browser = browser_of(alice, language="zh-hans")

    response = browser.post("/api/images/", {"file": file})

    assert (
        response.json()["error"]["message"] != upload(alice, corpus.SVG).json()["error"]["message"]
    )


@pytest.mark.parametrize(
    ("size", "kind", "image_format"),
    [("", "image/png", "PNG"), ("full", "image/png", "PNG"), ("thumb", "image/webp", "WEBP")],
)
def test_an_owner_sees_the_picture(alice: User, size: str, kind: str, image_format: str) -> None:
    image = store_upload(alice, PNG)

    response = show(alice, image.pk, size)

    assert response.status_code == 200
    assert response["Content-Type"] == kind
    assert PillowImage.open(BytesIO(response.content)).format == image_format


def test_a_picture_is_served_inert_and_private(alice: User) -> None:
    image = store_upload(alice, PNG)

    response = show(alice, image.pk)

    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"].startswith("private")
    assert response["Content-Disposition"] == f'inline; filename="{image.pk}.png"'
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_reviewer_sees_the_picture(alice: User, carol: User) -> None:
    assert show(carol, store_upload(alice, PNG).pk).status_code == 200


def test_staff_without_the_permission_do_not_see_it(alice: User, carol: User) -> None:
    carol.user_permissions.clear()

    assert show(carol, store_upload(alice, PNG).pk).status_code == 404


@pytest.mark.parametrize("size", ["full", "thumb"])
def test_a_stranger_s_picture_looks_exactly_like_a_missing_one(
    alice: User, bob: User, size: str
) -> None:
    image = store_upload(alice, PNG)

    foreign, missing = show(bob, image.pk, size), show(bob, uuid.uuid4(), size)

    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content
    assert dict(foreign.items()) == dict(missing.items())
    assert code_of(foreign) == "image_not_found"


def test_nobody_sees_no_picture(alice: User) -> None:
    response = show(None, store_upload(alice, PNG).pk)

    assert response.status_code == 401
    assert code_of(response) == "unauthenticated"


@pytest.mark.parametrize(
    ("image_id", "size"), [("x", "full"), ("1", "full"), (uuid.uuid4(), "big")]
)
def test_malformed_requests_are_bad_frames(alice: User, image_id: object, size: str) -> None:
    response = show(alice, image_id, size)

    assert response.status_code == 400
    assert code_of(response) == "bad_frame"


def test_a_picture_without_its_file_is_missing(alice: User) -> None:
    image = store_upload(alice, PNG)
    Path(image.file.path).unlink()

    assert show(alice, image.pk).status_code == 404
