"""Pictures are kept once a person, privately, and nothing stays behind when that fails."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction

from chat.errors import ChatError, ErrorCode
from chat.models import Image
from chat.services import images
from chat.services.images import decode_data_url, read_bytes, store_upload
from tests.chat.decoding import picture_corpus as corpus
from tests.chat.decoding.picture_corpus import drawn, encoded

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

PNG = encoded(drawn(), "PNG")


@pytest.fixture(autouse=True)
def media(settings: SettingsWrapper, tmp_path: Path) -> Path:
    """Keep each test's files apart."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refusal(owner: User, content: Any) -> ChatError:
    with pytest.raises(ChatError) as refused:
        store_upload(owner, content)
    return refused.value


def test_a_picture_is_kept_with_its_thumbnail(alice: User, media: Path) -> None:
    image = store_upload(alice, PNG)

    image.refresh_from_db()
    assert (image.width_px, image.height_px, image.content_type) == (60, 40, "image/png")
    assert image.size_bytes == image.file.size
    assert files_below(media) == [
        f"images/{alice.pk}/{image.pk}.png",
        f"images/{alice.pk}/{image.pk}.thumbnail.webp",
    ]
    assert read_bytes(image).startswith(b"\x89PNG")


def test_an_uploaded_file_is_kept_without_its_name(alice: User, media: Path) -> None:
    store_upload(alice, SimpleUploadedFile("../../secret holiday.html", PNG, "text/html"))

    assert not [name for name in files_below(media) if "secret" in name or "html" in name]


def test_files_are_readable_by_the_server_only(alice: User, media: Path) -> None:
    image = store_upload(alice, PNG)

    assert Path(image.file.path).stat().st_mode & 0o077 == 0


def test_the_same_file_again_is_the_same_picture(alice: User, media: Path) -> None:
    first = store_upload(alice, PNG)
    before = files_below(media)

    again = store_upload(alice, SimpleUploadedFile("other name.png", PNG))

    assert again == first
    assert files_below(media) == before


def test_two_people_with_the_same_file_have_a_picture_each(alice: User, bob: User) -> None:
    hers, his = store_upload(alice, PNG), store_upload(bob, PNG)

    assert hers != his
    assert hers.file.name != his.file.name
    assert hers.sha256 == his.sha256


def test_another_file_is_another_picture(alice: User) -> None:
    assert store_upload(alice, PNG) != store_upload(alice, encoded(drawn(), "JPEG"))


def test_a_race_for_the_same_file_ends_in_one_picture(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    find = images.find

    def look_too_early(owner: User, sha256: str) -> Image | None:
        looks.append(sha256)
        return None if len(looks) == 2 else find(owner, sha256)

    first = store_upload(alice, PNG)
    before = files_below(media)
    monkeypatch.setattr(images, "find", look_too_early)

    second = store_upload(alice, PNG)

    assert second == first
    assert files_below(media) == before


@pytest.mark.django_db(transaction=True)
def test_uploads_at_the_same_moment_end_in_one_picture(alice: User, media: Path) -> None:
    kept: list[Image] = []
    together = threading.Barrier(3)

    def upload() -> None:
        together.wait(10)
        kept.append(store_upload(alice, PNG))
        connection.close()

    threads = [threading.Thread(target=upload) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len({image.pk for image in kept}) == 1
    assert len(kept) == 3
    assert len(files_below(media)) == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", ErrorCode.IMAGE_UNREADABLE, id="no-bytes"),
        pytest.param(PNG[:90], ErrorCode.IMAGE_UNREADABLE, id="truncated"),
        pytest.param(corpus.SVG, ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="svg"),
        pytest.param(corpus.NO_PICTURES["html"], ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="html"),
        pytest.param(corpus.png_claiming(60_000, 60_000), ErrorCode.IMAGE_TOO_LARGE, id="bomb"),
    ],
)
def test_nothing_of_a_refused_file_stays(
    alice: User, media: Path, content: bytes, code: ErrorCode
) -> None:
    assert refusal(alice, content).code == code
    assert refusal(alice, SimpleUploadedFile("x.png", content)).code == code
    assert files_below(media) == []
    assert not Image.objects.exists()


def test_a_picture_over_the_byte_limit_is_refused_unread(
    alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_UPLOAD_BYTES = 1024
    file = SimpleUploadedFile("x.png", bytes(1025))

    assert refusal(alice, file).code == ErrorCode.IMAGE_TOO_LARGE
    assert file.tell() == 0
    assert refusal(alice, bytes(1025)).code == ErrorCode.IMAGE_TOO_LARGE


def test_a_picture_of_the_byte_limit_is_kept(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_UPLOAD_BYTES = len(PNG)

    assert store_upload(alice, PNG).pk


def test_the_text_names_the_limit(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_UPLOAD_BYTES = 20 * 2**20

    too_many_bytes = refusal(alice, bytes(20 * 2**20 + 1))
    too_many_pixels = refusal(alice, corpus.png_claiming(60_000, 60_000))

    assert "larger than 20 MiB" in too_many_bytes.content
    assert "larger than 50 MP" in too_many_pixels.content


@pytest.mark.parametrize(
    "failure", [IntegrityError("another constraint"), OSError("disk full"), KeyboardInterrupt()]
)
def test_files_go_when_the_row_cannot_be_written(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise failure

    monkeypatch.setattr(Image, "save", fail)

    with pytest.raises(type(failure)):
        store_upload(alice, PNG)
    assert files_below(media) == []


def test_the_picture_goes_when_its_thumbnail_cannot_be_written(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Image._meta.get_field("file").storage
    save = storage.save

    def fail_for_thumbnails(name: str, *args: Any, **options: Any) -> str:
        if "thumbnail" in name:
            raise OSError("disk full")
        saved: str = save(name, *args, **options)
        return saved

    monkeypatch.setattr(storage, "save", fail_for_thumbnails)

    with pytest.raises(OSError, match="disk full"):
        store_upload(alice, PNG)
    assert files_below(media) == []
    assert not Image.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_slow_decode_inside_a_transaction_is_a_programming_error(
    alice: User, media: Path
) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        store_upload(alice, PNG)
    assert files_below(media) == []


def test_a_picture_without_its_file_is_missing(alice: User) -> None:
    image = store_upload(alice, PNG)
    Path(image.file.path).unlink()

    with pytest.raises(ChatError) as refused:
        read_bytes(image)
    assert refused.value.code == ErrorCode.IMAGE_NOT_FOUND


@pytest.mark.parametrize("kind", ["image/png", "IMAGE/PNG", "image/svg+xml"])
def test_a_data_url_gives_its_bytes(kind: str) -> None:
    assert decode_data_url(f"data:{kind};base64,{base64.b64encode(PNG).decode()}") == PNG


@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param("", ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="nothing"),
        pytest.param("https://b.example/x.png", ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="web"),
        pytest.param("file:///etc/passwd", ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="file"),
        pytest.param("data:text/html;base64,QQ==", ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="html"),
        pytest.param("data:image/png,QQ==", ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="no-base64"),
        pytest.param("data:;base64,QQ==", ErrorCode.IMAGE_TYPE_UNSUPPORTED, id="no-type"),
        pytest.param("data:image/png;base64,Q", ErrorCode.IMAGE_UNREADABLE, id="bad-length"),
        pytest.param("data:image/png;base64,QQ=!", ErrorCode.IMAGE_UNREADABLE, id="bad-character"),
        pytest.param("data:image/png;base64,中中中中", ErrorCode.IMAGE_UNREADABLE, id="not-ascii"),
        pytest.param(
            "data:image/png;base64," + "A" * 1400, ErrorCode.IMAGE_TOO_LARGE, id="too-large"
        ),
    ],
)
def test_other_data_urls_are_refused(settings: SettingsWrapper, url: str, code: ErrorCode) -> None:
    settings.VL_UPLOAD_BYTES = 1024

    with pytest.raises(ChatError) as refused:
        decode_data_url(url)
    assert refused.value.code == code
