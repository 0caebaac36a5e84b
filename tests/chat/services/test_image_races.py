"""A picture is sent at the moment at which it is swept as forgotten: one of the two wins, cleanly.

`tests/multi/test_on_postgresql.py` runs these with PostgreSQL too, which lets both go on at once;
SQLite lets one wait for the other.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection

from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, DailyUse, Image, Message, Reply
from chat.services import orphan_images, turns
from tests.chat.factories import a_picture, a_turn
from tests.chat.services.test_orphan_images import _three_days, grow_old, media

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

__all__ = ["_three_days", "media"]

pytestmark = pytest.mark.django_db(transaction=True)

AWHILE_S = 1.0
WAITS_S = 30


class Beside:
    """Something done in another thread and connection; it may have to wait for the one here."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self._result: Any = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin, and give it the time to be through if nothing holds it up."""
        self._thread.start()
        self._thread.join(AWHILE_S)

    def result(self) -> Any:
        """Wait for its end; give what it returned or raised."""
        self._thread.join(WAITS_S)
        assert not self._thread.is_alive()
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._act()
        except (ChatError, DatabaseError) as error:
            self._result = error
        finally:
            connection.close()


def test_a_picture_swept_while_it_is_sent_is_kept(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PostgreSQL the question used to fail as it was kept, with an error of the database."""
    picture = grow_old(a_picture(alice))
    sweep, admit = Beside(orphan_images.remove), turns.admit

    def sweep_and_admit(user: User) -> None:
        sweep.start()
        admit(user)

    monkeypatch.setattr(turns, "admit", sweep_and_admit)

    turn = a_turn(alice, image_ids=[picture.pk])

    assert sweep.result() == 0
    assert turn.message.images_in_order() == [picture]


def test_a_picture_sent_while_it_is_swept_is_missing(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of the question is kept, so that it can be sent again with another picture."""
    picture = grow_old(a_picture(alice))
    sending, delete = Beside(lambda: a_turn(alice, image_ids=[picture.pk])), Image.delete

    def send_and_delete(image: Image) -> Any:
        deleted = delete(image)
        sending.start()
        return deleted

    monkeypatch.setattr(Image, "delete", send_and_delete)

    assert orphan_images.remove() == 1
    refused = sending.result()

    assert isinstance(refused, ChatError)
    assert refused.code == ErrorCode.IMAGE_NOT_FOUND
    rows = (Conversation, DailyUse, Image, Message, Reply)
    assert [model for model in rows if model.objects.exists()] == []


def test_two_questions_with_the_same_pictures_do_not_wait_for_each_other_for_ever(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = a_picture(alice).pk, a_picture(alice, color=(0, 0, 1)).pk
    other, admit = Beside(lambda: a_turn(alice, image_ids=[second, first])), turns.admit

    def ask_and_admit(user: User) -> None:
        monkeypatch.setattr(turns, "admit", admit)
        other.start()
        admit(user)

    monkeypatch.setattr(turns, "admit", ask_and_admit)

    a_turn(alice, image_ids=[first, second])

    assert other.result().is_new
    assert Message.objects.filter(images=first).count() == 2
