"""PDFs are kept once a person, privately and for a time; their pages become ordinary pictures."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError
from django.utils import timezone

from chat.errors import ChatError
from chat.models import Document, DocumentRun, Image
from chat.services import conversations, document_runs, documents
from tests.chat.decoding import pdf_corpus as corpus

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

PDF = corpus.SOUND


@pytest.fixture(autouse=True)
def media(settings: SettingsWrapper, tmp_path: Path) -> Path:
    """Keep each test's files apart."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def kept(owner: User, name: str = "report.pdf") -> Document:
    return documents.store_upload(owner, PDF, name=name)


def test_a_document_is_kept_below_its_owner(alice: User, media: Path) -> None:
    document = kept(alice)

    assert (document.name, document.page_count) == ("report.pdf", 3)
    assert document.size_bytes == len(PDF)
    assert files_below(media) == [f"documents/{alice.pk}/{document.pk}.pdf"]
    assert Path(document.file.path).read_bytes() == PDF


def test_the_same_file_is_kept_once_for_each_person(alice: User, bob: User) -> None:
    assert kept(alice) == kept(alice, "other.pdf")
    assert kept(alice) != kept(bob)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../a\nb\x00 \u202ec.pdf", "../a b c.pdf"),
        ("", "document.pdf"),
        (" \n ", "document.pdf"),
        ("报告.pdf", "报告.pdf"),
        ("x" * 500, "x" * 120),
    ],
)
def test_a_name_becomes_a_short_line_of_text(alice: User, name: str, shown: str) -> None:
    assert kept(alice, name).name == shown


def test_nothing_stays_of_a_document_that_is_refused(alice: User, media: Path) -> None:
    with pytest.raises(ChatError, match="document_unreadable"):
        documents.store_upload(alice, PDF[:200], name="x")

    assert not Document.objects.exists()
    assert files_below(media) == []


def test_nothing_stays_when_the_row_cannot_be_kept(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Document, "save", fail)

    with pytest.raises(OSError, match="full"):
        kept(alice)
    assert files_below(media) == []


def test_of_two_uploads_at_once_one_is_kept(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kept(alice)
    looks = iter((None, first))
    monkeypatch.setattr(documents, "_find", lambda *_: next(looks))

    assert kept(alice) == first
    assert files_below(media) == [f"documents/{alice.pk}/{first.pk}.pdf"]


def test_a_row_that_clashes_with_nothing_is_no_twin(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(alice)
    monkeypatch.setattr(documents, "_find", lambda *_: None)

    with pytest.raises(IntegrityError):
        kept(alice)


def test_pages_become_pictures_in_the_order_asked_for(alice: User) -> None:
    third, first = documents.page_images(alice, kept(alice), [3, 1])

    assert third != first
    assert {image.owner for image in (third, first)} == {alice}
    assert (first.width_px, first.height_px) == tuple(kept(alice).page_sizes_px[0])


def test_a_page_is_drawn_once(alice: User) -> None:
    document = kept(alice)

    assert documents.page_images(alice, document, [2, 2]) == [
        *documents.page_images(alice, document, [2]),
        *documents.page_images(alice, document, [2]),
    ]
    assert Image.objects.count() == 1


def test_the_same_page_drawn_larger_is_another_picture(
    alice: User, settings: SettingsWrapper
) -> None:
    document = kept(alice)
    settings.VL_PAGE_PIXELS = 100_000
    small = documents.page_images(alice, document, [1])[0]
    settings.VL_PAGE_PIXELS = 400_000

    large = documents.page_images(alice, document, [1])[0]

    assert large.width_px == pytest.approx(2 * small.width_px, abs=2)


@pytest.mark.parametrize("number", [0, -1, 4, 2**40])
@pytest.mark.parametrize(
    "look",
    [
        lambda owner, document, number: documents.page_images(owner, document, [1, number]),
        lambda _owner, document, number: documents.page_thumbnail(document, number),
    ],
    ids=["images", "thumbnail"],
)
def test_a_page_that_is_not_there_is_not_found(
    alice: User, number: int, look: Callable[[User, Document, int], object]
) -> None:
    document = kept(alice)

    with pytest.raises(ChatError, match="document_not_found"):
        look(alice, document, number)
    assert not Image.objects.exists()


def test_a_document_without_its_file_is_not_found(alice: User) -> None:
    document = kept(alice)
    Path(document.file.path).unlink()

    with pytest.raises(ChatError, match="document_not_found"):
        documents.page_thumbnail(document, 1)


@pytest.mark.django_db(transaction=True)
def test_the_file_goes_with_its_row_or_its_person(alice: User, bob: User, media: Path) -> None:
    kept(alice).delete()
    kept(bob)

    bob.delete()

    assert files_below(media) == []


@pytest.mark.django_db(transaction=True)
def test_the_document_goes_with_the_last_conversation_about_it(alice: User, media: Path) -> None:
    document = kept(alice)
    first, second = (document_runs.start(alice, document, [1], text="") for _ in range(2))

    conversations.delete(first.conversation)
    assert Document.objects.exists()
    conversations.delete(second.conversation)

    assert not Document.objects.exists()
    assert not [name for name in files_below(media) if name.endswith(".pdf")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("age_days", "state", "stays"),
    [
        pytest.param(6.9, None, True, id="young"),
        pytest.param(7.1, None, False, id="old"),
        pytest.param(7.1, "running", True, id="old, but its run goes on"),
        pytest.param(7.1, "done", False, id="old, and its run is over"),
    ],
)
def test_old_documents_are_removed(
    alice: User, media: Path, age_days: float, state: str | None, stays: bool
) -> None:
    document = kept(alice)
    if state is not None:
        document_runs.start(alice, document, [1], text="")
        DocumentRun.objects.update(state=state)
    since = timezone.now() - timedelta(days=age_days)
    Document.objects.update(created_at=since)

    documents.remove_old()

    assert Document.objects.exists() == stays
    assert any(name.endswith(".pdf") for name in files_below(media)) == stays
    assert DocumentRun.objects.exists() == (state is not None)
