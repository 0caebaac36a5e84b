"""The end of a session, a password and an account, over two web instances and a worker.

Each is ended on one instance (or in the database, as the admin of a third would), while sockets are
open on both.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from websockets.exceptions import ConnectionClosed

from chat.protocol import CloseCode
from inference.testing import draw_png
from tests.multi.installation import Installation, NewInstallation
from tests.multi.test_takeover import EVERY_WORD, row_of
from tests.server.people import TIMEOUT_S, Person
from tests.server.processes import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.people import Socket
    from tests.server.processes import Product

pytestmark = [pytest.mark.multi, pytest.mark.redis]

SOCKETS_WITHIN_S = 5.0
GONE_WITHIN_S = 60.0
LIMIT = 20
WAITING = 8  # replies of two seconds each: some are left however slow the machine is


@pytest.fixture(scope="module")
def limited(new_installation: NewInstallation) -> Iterator[Installation]:
    """Have two web instances and a worker, and so many turns a minute for each person."""
    with new_installation(VL_PERSON_TURNS_PER_MINUTE=str(LIMIT), VL_SLOTS="1") as own:
        own.start_worker()
        own.start_web()
        own.start_web()
        yield own


@pytest.fixture(scope="module")
def webs(limited: Installation) -> list[Product]:
    """Give the two web instances."""
    return [each for each in limited.processes if each not in limited.workers]


@pytest.fixture(scope="module")
def carol(webs: list[Product]) -> Person:
    """Have an administrator, so that everybody else may leave."""
    return Person(webs[0].url).sign_up("carol")


def elsewhere(person: Person, web: Product) -> Person:
    """Reach another instance from the same browser."""
    other = Person(web.url)
    other.http.cookies.update(person.http.cookies)
    return other


def post_form(person: Person, path: str, **form: str) -> None:
    """Send a form of an account's page; it leads on."""
    person.http.get(person.url + path, timeout=TIMEOUT_S)
    form["csrfmiddlewaretoken"] = str(person.http.cookies["csrftoken"])
    answer = person.http.post(
        person.url + path, data=form, timeout=TIMEOUT_S, allow_redirects=False
    )
    assert answer.status_code == 302, answer.text[:2000]
    assert "reauthenticate" not in answer.headers["Location"]


def closed_after(socket: Socket) -> tuple[int, float]:
    """Read until the server closes the socket; give the code, and when."""
    with pytest.raises(ConnectionClosed) as closed:
        socket.read_to_the_end()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, time.monotonic()


# Sessions -----------------------------------------------------------------------------------


def sign_out(person: Person, _name: str, _: Installation) -> None:
    """Sign out, on the first instance."""
    post_form(person, "/accounts/logout/")


def sign_out_everywhere_else(person: Person, name: str, _: Installation) -> None:
    """End the session from another browser of the same person."""
    post_form(Person(person.url).sign_in(name), "/accounts/sessions/end/")


def change_password(person: Person, name: str, _: Installation) -> None:
    """Change the password in another browser."""
    other, new = Person(person.url).sign_in(name), "another long secret"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    post_form(other, "/accounts/password/change/", **form)


def deactivate(_: Person, name: str, installation: Installation) -> None:
    """Deactivate the account, as the admin does."""
    statement = "UPDATE auth_user SET is_active = false WHERE username = %s RETURNING 1"
    assert installation.query(statement, name)


def expire(person: Person, _name: str, installation: Installation) -> None:
    """Let the session have run out."""
    statement = (
        "UPDATE django_session SET expire_date = now() - interval '1 s' "
        "WHERE session_key = %s RETURNING 1"
    )
    assert installation.query(statement, person.http.cookies["sessionid"])


@pytest.mark.parametrize(
    "end", [sign_out, sign_out_everywhere_else, change_password, deactivate, expire]
)
def test_sockets_of_both_instances_are_closed(
    limited: Installation,
    webs: list[Product],
    carol: Person,
    end: Callable[[Person, str, Installation], None],
) -> None:
    alice = Person(webs[0].url).sign_up(end.__name__)
    with (
        alice.connect() as here,
        elsewhere(alice, webs[1]).connect() as there,
        carol.connect() as others,
    ):
        for socket in (here, there, others):
            socket.until("info")
        end(alice, alice.name, limited)
        ended_at = time.monotonic()
        with ThreadPoolExecutor(2) as threads:
            closings = list(threads.map(closed_after, (here, there)))
        others.send(type="ping", t="still here")
        others.until("pong")

    assert [code for code, _ in closings] == [CloseCode.SIGNED_OUT] * 2
    assert max(at for _, at in closings) - ended_at < SOCKETS_WITHIN_S


# Limits -------------------------------------------------------------------------------------


def test_turns_are_counted_exactly_over_two_instances(
    limited: Installation, webs: list[Product], carol: Person
) -> None:
    """Each instance is asked for more than the limit, at once, in new conversations."""
    dora = Person(webs[0].url).sign_up("dora")

    def ask_often(web: Product) -> int:
        with elsewhere(dora, web).connect() as socket:
            for _ in range(LIMIT):
                socket.send(type="message", text="Hello")
            answers = [socket.until("accepted", "error") for _ in range(LIMIT)]
        return sum(each["type"] == "accepted" for each in answers)

    with ThreadPoolExecutor(2) as threads:
        accepted = sum(threads.map(ask_often, webs))

    assert LIMIT - 1 <= accepted <= LIMIT + 1


# Accounts -----------------------------------------------------------------------------------


def everything_in_the_database(installation: Installation) -> str:
    """Give every row of every table as text."""
    tables = installation.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [installation.query(f'SELECT t::text FROM "{name}" t') for (name,) in tables]  # noqa: S608 - ours
    return "\n".join(str(row) for each in rows for row in each)


def everything_in_redis(installation: Installation) -> str:
    """Give every key with what it holds."""
    with Redis.from_url(installation.redis_url) as redis:
        readers: dict[bytes, Callable[[bytes], Any]] = {
            b"string": redis.get,
            b"stream": redis.xrange,
            b"zset": lambda key: redis.zrange(key, 0, -1),
            b"list": lambda key: redis.lrange(key, 0, -1),
            b"hash": redis.hgetall,
            b"set": redis.smembers,
        }
        found = []
        for key in redis.scan_iter():
            kind = redis.type(key)
            found.append(f"{key!r} {readers[kind](key) if kind in readers else ''!r}")
        return "\n".join(found)


def everything_in_files(installation: Installation) -> str:
    """Name every file and folder of the storage."""
    return "\n".join(map(str, (installation.folder / "media").rglob("*")))


def wait_until_gone(names: list[str], *looks: Callable[[], str]) -> None:
    """Wait until none of the places names any of these."""
    began_at = time.monotonic()
    while left := [name for name in names for look in looks if name in look()]:
        assert time.monotonic() - began_at < GONE_WITHIN_S, left
        threading.Event().wait(0.5)


def delete_in_the_middle_of_a_reply(
    installation: Installation, webs: list[Product], worker_is: str
) -> list[str]:
    """Delete an account while one of its replies is written and others wait; give all its names."""
    alice = Person(webs[0].url).sign_up(f"kanarienvogel-{worker_is}")
    name = alice.name
    post_form(alice, "/accounts/reauthenticate/", password=PASSWORD)
    image = alice.upload(draw_png(64, 64, (220, 40, 40)))
    user_id = installation.query("SELECT id FROM auth_user WHERE username = %s", name)[0][0]
    (worker,) = installation.living_workers()
    assert worker.process is not None
    with alice.connect() as here, elsewhere(alice, webs[1]).connect() as there:
        asked = here.ask(f"Count slowly, {name}", images=[image])
        here.read_words(asked["reply"], 3)
        if worker_is == "stalled":
            os.kill(worker.process.pid, signal.SIGSTOP)
        there.send(type="resume", reply=asked["reply"], offset=0)
        there.until("partial", "final")
        waiting = [there.ask(f"Count slowly, {name}")["reply"] for _ in range(WAITING)]
        replies = [asked["reply"], *waiting]
        while "running" not in {row_of(installation, reply)[0] for reply in replies}:
            pass  # between two of them
        try:
            post_form(alice, "/accounts/delete/", username=name)
            deleted_at = time.monotonic()
            with ThreadPoolExecutor(2) as threads:
                closings = list(threads.map(closed_after, (here, there)))
        finally:
            os.kill(worker.process.pid, signal.SIGCONT)

    assert [code for code, _ in closings] == [CloseCode.SIGNED_OUT] * 2
    assert max(at for _, at in closings) - deleted_at < SOCKETS_WITHIN_S
    return [
        name, image, *replies, asked["conversation"], f"user.{user_id}",
        f"person-{user_id}", f"images/{user_id}",
    ]  # fmt: skip


def test_nothing_is_left_of_accounts_deleted_in_the_middle_of_a_reply(
    limited: Installation, webs: list[Product], carol: Person
) -> None:
    """Whoever wrote for the second was stalled, and wakes up when all is over."""
    writing = delete_in_the_middle_of_a_reply(limited, webs, "writing")
    stalled = delete_in_the_middle_of_a_reply(limited, webs, "stalled")

    wait_until_gone(
        writing + stalled,
        lambda: everything_in_the_database(limited),
        lambda: everything_in_redis(limited),
        lambda: everything_in_files(limited),
    )

    names = writing[0], stalled[0]
    assert not [each for each in limited.processes for name in names if each.log.count(name)]
    # Whoever wrote it is free for others, and none of it was written after all.
    with carol.connect() as socket:
        assert socket.answer("Count slowly", options={"temperature": 0}) == EVERY_WORD
    assert not [name for name in names if name in everything_in_redis(limited)]
