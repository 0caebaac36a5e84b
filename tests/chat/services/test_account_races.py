"""Two who end their accounts at the same moment; also run on PostgreSQL, whose locks are finer."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from chat.services import accounts

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_WITHIN_S = 1.0


def test_of_the_last_two_administrators_who_leave_at_once_one_stays(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were let go, and the next visitor might have administered what is left."""
    get_user_model().objects.update(is_superuser=True)
    looked = threading.Barrier(2, timeout=OTHER_WITHIN_S)
    may_delete = accounts.may_delete

    def look_and_wait(user: User) -> bool:
        answer = may_delete(user)
        with contextlib.suppress(threading.BrokenBarrierError):  # the other one waits for the lock
            looked.wait()
        return answer

    def leave(user: User) -> None:
        try:
            with contextlib.suppress(accounts.LastAdministratorError):
                accounts.delete(get_user_model().objects.get(pk=user.pk))
        finally:
            connection.close()

    monkeypatch.setattr(accounts, "may_delete", look_and_wait)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(leave, (alice, bob)))

    assert get_user_model().objects.filter(is_superuser=True).count() == 1
