"""The session watch: every way of ending a session is seen, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone

from chat import session_watch
from chat.session_watch import SessionWatch
from tests.chat.conftest import DEADLINE_S, session_cookie

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoAssertNumQueries

Pair = tuple[str, int]


@pytest.fixture
def pair(alice: User) -> Pair:
    """Sign alice in; give her session's key and her id."""
    return session_cookie(alice), alice.pk


def _sign_out(user: User) -> None:
    Session.objects.all().delete()


def _expire(user: User) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def _deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def _change_password(user: User) -> None:
    user.set_password("another long secret")
    user.save()


def _delete(user: User) -> None:
    user.delete()


ENDINGS = [
    pytest.param(_sign_out, id="signed out"),
    pytest.param(_expire, id="expired"),
    pytest.param(_deactivate, id="deactivated"),
    pytest.param(_change_password, id="password changed"),
    pytest.param(_delete, id="deleted"),
]


def test_a_live_session_holds(pair: Pair) -> None:
    assert session_watch._still_valid({pair}) == {pair}


@pytest.mark.parametrize("end", ENDINGS)
def test_an_ended_session_holds_no_longer(
    alice: User, pair: Pair, end: Callable[[User], None]
) -> None:
    end(alice)

    assert session_watch._still_valid({pair}) == set()


def test_one_persons_end_leaves_others_alone(alice: User, bob: User, pair: Pair) -> None:
    his = (session_cookie(bob), bob.pk)

    _deactivate(alice)

    assert session_watch._still_valid({pair, his}) == {his}


def test_another_persons_session_key_does_not_hold(bob: User, pair: Pair) -> None:
    assert session_watch._still_valid({(pair[0], bob.pk)}) == set()


def test_any_number_of_sockets_costs_two_queries(
    alice: User, bob: User, pair: Pair, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    pairs = {pair, (session_cookie(bob), bob.pk), (session_cookie(bob), bob.pk)}

    with django_assert_num_queries(2):
        session_watch._still_valid(pairs)


# The task -----------------------------------------------------------------------------------


class Looks:
    """Counts the looks at the tables, and lets a test wait for them or make one fail."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.valid: set[Pair] = set()
        self._looked: asyncio.Queue[int] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def __call__(self, pairs: set[Pair]) -> set[Pair]:
        """Answer what the test wants, from the database's thread."""
        self._loop.call_soon_threadsafe(self._looked.put_nowait, len(pairs))
        if self.errors:
            raise self.errors.pop()
        return self.valid & pairs

    async def wait(self, count: int) -> None:
        """Wait for so many more looks."""
        for _ in range(count):
            await asyncio.wait_for(self._looked.get(), DEADLINE_S)


@pytest.fixture
async def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Look often, and not at the database."""
    looks = Looks()
    monkeypatch.setattr(session_watch, "WATCH_S", 0.01)
    monkeypatch.setattr(session_watch, "_still_valid", looks)
    return looks


class Tab:
    """A socket, as the watch knows it."""

    def __init__(self, watch: SessionWatch, name: str) -> None:
        self.ended = asyncio.Event()
        self.pair = (name, 1)
        watch.add(self, session_key=name, user_id=1, on_end=self.end)

    async def end(self) -> None:
        """Be told."""
        self.ended.set()

    async def wait(self) -> None:
        """Wait until told."""
        await asyncio.wait_for(self.ended.wait(), DEADLINE_S)


@pytest.mark.django_db(transaction=True)
async def test_a_socket_is_told_that_its_session_ended(looks: Looks) -> None:
    watch = SessionWatch()
    tab, other = Tab(watch, "a"), Tab(watch, "b")
    looks.valid = {tab.pair, other.pair}
    await looks.wait(2)
    was_told_early = tab.ended.is_set()

    looks.valid = {other.pair}
    await tab.wait()

    watch.discard(tab)
    watch.discard(other)
    assert not was_told_early
    assert not other.ended.is_set()


@pytest.mark.django_db(transaction=True)
async def test_the_last_socket_ends_the_task_and_the_next_one_starts_it(looks: Looks) -> None:
    watch = SessionWatch()
    first = Tab(watch, "a")
    task = watch._task
    watch.discard(first)
    assert task is not None
    await asyncio.gather(task, return_exceptions=True)

    second = Tab(watch, "b")
    await second.wait()

    watch.discard(second)
    assert task.cancelled()


@pytest.mark.django_db(transaction=True)
async def test_a_database_that_is_away_ends_nobodys_session(looks: Looks) -> None:
    watch = SessionWatch()
    tab = Tab(watch, "a")
    looks.valid = {tab.pair}
    looks.errors = [OperationalError("injected")]
    await looks.wait(3)
    was_told_early = tab.ended.is_set()

    looks.valid = set()
    await tab.wait()

    watch.discard(tab)
    assert not was_told_early


@pytest.mark.django_db(transaction=True)
async def test_a_socket_that_cannot_be_told_does_not_end_the_watch(looks: Looks) -> None:
    """A server may raise when a frame is sent to a connection that has just gone."""
    watch = SessionWatch()

    async def explode() -> None:
        raise RuntimeError("injected")

    watch.add("broken", session_key="x", user_id=1, on_end=explode)
    tab = Tab(watch, "a")
    looks.valid = {tab.pair}
    await looks.wait(2)

    looks.valid = set()
    await tab.wait()

    watch.discard("broken")
    watch.discard(tab)


async def test_discarding_what_is_not_watched_is_harmless() -> None:
    SessionWatch().discard("unknown")


@pytest.mark.django_db(transaction=True)
async def test_signing_out_in_the_browser_is_seen(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_watch, "WATCH_S", 0.01)
    key = await sync_to_async(session_cookie)(alice)
    watch = SessionWatch()
    ended = asyncio.Event()

    async def on_end() -> None:
        ended.set()

    watch.add("tab", session_key=key, user_id=alice.pk, on_end=on_end)
    await sync_to_async(_sign_out)(alice)
    await asyncio.wait_for(ended.wait(), DEADLINE_S)

    watch.discard("tab")
