"""Whoever deletes a row, in whatever way: files, logs, work and sessions go with it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.files.storage import default_storage
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat.generation import listening, sweeper
from chat.generation.reply_log import MemoryReplyLog
from chat.models import Conversation, Image, LeftoverFile
from chat.services import accounts, conversations, leftover_files
from tests.chat.factories import RUNNING, a_picture, a_reply, a_turn
from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def media(settings: SettingsWrapper, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryReplyLog:
    """Give an empty log in the place of the process's."""
    log = MemoryReplyLog()
    monkeypatch.setattr(listening, "reply_log", log)
    return log


def files(folder: Path) -> list[str]:
    """List all there is below the media folder, but for the folder of all people."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*/*"))


def by_the_page(user: User) -> None:
    accounts.delete(user)


def by_the_row(user: User) -> None:
    user.delete()


def by_a_query(user: User) -> None:
    get_user_model().objects.filter(pk=user.pk).delete()


def _administrator() -> Client:
    get_user_model().objects.create_superuser("root", "", PASSWORD)
    client = Client()
    client.login(username="root", password=PASSWORD)
    return client


def on_their_page_in_the_admin(user: User) -> None:
    url = reverse("admin:auth_user_delete", args=(user.pk,))
    assert _administrator().post(url, {"post": "yes"}).status_code == 302


def in_the_admins_list(user: User) -> None:
    form = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
    url = reverse("admin:auth_user_changelist")
    assert _administrator().post(url, form).status_code == 302


WAYS = [
    pytest.param(by_the_page, id="by themselves"),
    pytest.param(by_the_row, id="in a shell"),
    pytest.param(by_a_query, id="by a query"),
    pytest.param(on_their_page_in_the_admin, id="on their page in the admin"),
    pytest.param(in_the_admins_list, id="in the admin's list"),
]


@pytest.mark.parametrize("delete", WAYS)
def test_a_persons_pictures_go_with_them(
    alice: User, bob: User, media: Path, delete: Callable[[User], None]
) -> None:
    a_turn(alice, image_ids=[a_picture(alice).pk])
    kept = a_picture(bob)

    delete(alice)

    assert files(media) == sorted([
        f"images/{bob.pk}", str(kept.file.name), str(kept.thumbnail.name),
    ])  # fmt: skip
    assert not LeftoverFile.objects.exists()


@pytest.mark.parametrize("delete", WAYS)
def test_their_sessions_end(alice: User, delete: Callable[[User], None]) -> None:
    client = Client()
    client.post(reverse("account_login"), {"login": "alice", "password": PASSWORD})
    key = client.session.session_key

    delete(alice)

    assert not Session.objects.filter(session_key=key).exists()
    assert not UserSession.objects.filter(session_key=key).exists()


@pytest.mark.parametrize("delete", WAYS)
def test_the_logs_of_their_replies_are_forgotten(
    alice: User, log: MemoryReplyLog, delete: Callable[[User], None]
) -> None:
    running, ended = (
        a_reply(alice, **RUNNING),
        a_reply(alice, state="stopped", finish_reason="stopped"),
    )
    for reply in (running, ended):
        log.start(reply.pk, 1, "what nobody shall read again")

    delete(alice)

    assert [log.read(reply.pk, 0) for reply in (running, ended)] == [None, None]


def test_replies_being_written_are_stopped(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[uuid.UUID] = []

    class Answering:
        def cancel(self, reply_id: uuid.UUID) -> None:
            stopped.append(reply_id)

    monkeypatch.setattr(listening.local, "answerer", Answering)
    running = a_reply(alice, **RUNNING)
    a_reply(alice, state="stopped", finish_reason="stopped")

    accounts.delete(alice)

    assert stopped == [running.pk]


def test_a_deleted_conversation_takes_its_logs_along(alice: User, log: MemoryReplyLog) -> None:
    reply = a_reply(alice, **RUNNING)
    log.start(reply.pk, 1, "what nobody shall read again")

    conversations.delete(reply.message.conversation)

    assert log.read(reply.pk, 0) is None


class OtherMindError(Exception):
    """Somebody thought better of it."""


@transaction.atomic
def _delete_and_think_better(user: User) -> None:
    user.delete()
    raise OtherMindError


def test_nothing_happens_before_the_commit(alice: User, media: Path, log: MemoryReplyLog) -> None:
    a_picture(alice)
    reply = a_reply(alice, **RUNNING)
    log.start(reply.pk, 1, "text")
    before = files(media)

    with pytest.raises(OtherMindError):
        _delete_and_think_better(alice)

    assert files(media) == before
    assert log.read(reply.pk, 0) is not None
    assert not LeftoverFile.objects.exists()
    assert Conversation.objects.exists()


def test_a_picture_of_its_own_takes_its_files_along(alice: User, media: Path) -> None:
    a_picture(alice).delete()

    assert files(media) == [f"images/{alice.pk}"]


def test_pictures_of_a_query_take_their_files_along(alice: User, media: Path) -> None:
    a_picture(alice)
    a_picture(alice, color=(0, 0, 0))

    Image.objects.all().delete()

    assert files(media) == [f"images/{alice.pk}"]


# A storage that fails ----------------------------------------------------------------------


def _fail(_name: str) -> None:
    raise ConnectionError("the storage is away")


def test_what_the_storage_does_not_delete_is_tried_again(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_picture(alice)
    with monkeypatch.context() as away:
        away.setattr(default_storage, "delete", _fail)
        alice.delete()
    assert len(files(media)) == 3
    LeftoverFile.objects.update(left_at=timezone.now())

    assert leftover_files.remove() == 4  # two folders among them

    assert files(media) == []
    assert not LeftoverFile.objects.exists()


def test_a_failure_is_not_tried_again_at_once(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def fail(name: str) -> None:
        tried.append(name)
        _fail(name)

    monkeypatch.setattr(default_storage, "delete", fail)
    leftover_files.leave(["images/1/a.png"])

    assert leftover_files.remove() == 0
    assert tried == ["images/1/a.png"]


def test_the_sweeper_looks_after_what_is_left(alice: User, media: Path) -> None:
    kept = a_picture(alice)
    LeftoverFile.objects.create(name=str(kept.file.name))

    sweeper.sweep_files()

    assert kept.file.name not in files(media)


def test_the_sweeper_outlives_a_database_that_is_away(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> int:
        raise OperationalError("away")

    monkeypatch.setattr(leftover_files, "remove", fail)

    sweeper.sweep_files()

    assert "could not look for files" in caplog.text


def test_a_failure_is_logged_with_the_name(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(default_storage, "delete", _fail)

    leftover_files.leave(["images/1/a.png"])

    assert "images/1/a.png could not be deleted" in caplog.text


def test_a_file_that_is_gone_already_is_no_failure(db: None) -> None:
    leftover_files.leave(["images/1/a.png"])

    assert not LeftoverFile.objects.exists()


def test_a_file_left_twice_is_noted_once(db: None) -> None:
    with transaction.atomic():
        leftover_files.leave(["images/1/a.png"])
        leftover_files.leave(["images/1/a.png", "images/1/b.png"])
        assert LeftoverFile.objects.count() == 2


# The last administrator --------------------------------------------------------------------


def test_the_last_administrator_stays(alice: User, bob: User) -> None:
    alice.is_superuser = alice.is_staff = True
    alice.save()

    with pytest.raises(accounts.LastAdministratorError):
        accounts.delete(alice)

    assert get_user_model().objects.count() == 2


def test_one_of_two_administrators_may_go(alice: User, bob: User) -> None:
    get_user_model().objects.update(is_superuser=True)
    alice.refresh_from_db()

    accounts.delete(alice)

    assert list(get_user_model().objects.values_list("username", flat=True)) == ["bob"]
