"""Pictures that nobody sent, or whose messages are gone: how long they are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from django.utils import timezone

from chat.generation import sweeper
from chat.models import Image
from chat.services import deletion, images, orphan_images
from tests.chat.decoding.picture_corpus import drawn, encoded
from tests.chat.factories import a_picture, a_turn, end_reply

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = 3
CONTENT = encoded(drawn(), "PNG")


@pytest.fixture(autouse=True)
def _three_days(settings: SettingsWrapper) -> None:
    settings.VL_ORPHAN_IMAGE_DAYS = DAYS
    cache.clear()


@pytest.fixture(autouse=True)
def media(settings: SettingsWrapper, tmp_path: Path) -> Path:
    """Keep the files of a test in a folder of its own."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def grow_old(image: Image, days: float = DAYS + 1) -> Image:
    """Let the picture have been uploaded so long ago."""
    created_at = timezone.now() - timedelta(days=days)
    Image.objects.filter(pk=image.pk).update(created_at=created_at)
    return image


def test_a_picture_that_nobody_sent_goes_with_its_files(alice: User, media: Path) -> None:
    grow_old(images.store_upload(alice, CONTENT))

    removed = orphan_images.remove()

    assert removed == 1
    assert not Image.objects.exists()
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_it_is_kept_for_the_days_that_are_set(alice: User) -> None:
    grow_old(a_picture(alice), days=DAYS - 0.1)

    assert orphan_images.remove() == 0
    assert Image.objects.exists()


def test_a_picture_of_a_message_is_kept(alice: User) -> None:
    picture = grow_old(a_picture(alice))
    a_turn(alice, image_ids=[picture.pk])

    assert orphan_images.remove() == 0
    assert Image.objects.exists()


def test_it_goes_when_its_conversation_is_gone_for_good(alice: User) -> None:
    picture = grow_old(a_picture(alice))
    turn = a_turn(alice, image_ids=[picture.pk])
    end_reply(turn.reply, "A circle.")
    deletion.discard(turn.conversation)

    before = orphan_images.remove()
    deletion.purge(-1)
    after = orphan_images.remove()

    assert (before, after) == (0, 1)


def test_uploading_it_again_counts_anew(alice: User) -> None:
    first = grow_old(images.store_upload(alice, CONTENT))

    again = images.store_upload(alice, CONTENT)

    assert again.pk == first.pk
    assert orphan_images.remove() == 0


def test_a_picture_removed_since_the_look_is_uploaded_anew(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = grow_old(images.store_upload(alice, CONTENT))
    look = Image.objects.visible_to

    def look_and_lose(user: User) -> Any:
        found = list(look(user))
        orphan_images.remove()
        monkeypatch.undo()
        return _Found(found)

    monkeypatch.setattr(Image.objects, "visible_to", look_and_lose)

    again = images.store_upload(alice, CONTENT)

    assert again.pk != first.pk
    assert Image.objects.filter(pk=again.pk).exists()


class _Found:
    """A query that was answered some time ago."""

    def __init__(self, images: list[Image]) -> None:
        self._images = images

    def filter(self, **_: object) -> _Found:
        return self

    def first(self) -> Image:
        return self._images[0]


def test_a_picture_sent_since_the_look_is_kept(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = grow_old(a_picture(alice))
    delete = Image.delete

    def send_and_delete(image: Image) -> Any:
        a_turn(alice, image_ids=[picture.pk])
        return delete(image)

    monkeypatch.setattr(Image, "delete", send_and_delete)

    assert orphan_images.remove() == 0
    assert Image.objects.exists()


def test_many_are_removed_a_part_at_a_time(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphan_images, "AT_ONCE", 2)
    for blue in range(3):
        grow_old(a_picture(alice, color=(0, 0, blue)))

    assert [orphan_images.remove() for _ in range(3)] == [2, 1, 0]


def test_the_sweeper_looks_once_an_hour(alice: User) -> None:
    grow_old(a_picture(alice))
    sweeper.sweep_files()
    grow_old(a_picture(alice, color=(0, 0, 1)))

    sweeper.sweep_files()

    assert Image.objects.count() == 1
