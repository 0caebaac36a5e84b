"""What somebody gets who asks for it many times at once, half at each of two instances."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from tests.multi.installation import Installation, NewInstallation
from tests.multi.test_account_end import elsewhere, post_form
from tests.server.people import TIMEOUT_S, Person
from tests.server.processes import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.server.processes import Product

pytestmark = [pytest.mark.multi, pytest.mark.redis]

AT_ONCE = 8
KEYS = 3
STREAMS = 2
# allauth turns away who waits a second for its counter, as on a machine with other work.
FINE = {200, 429}


@pytest.fixture(scope="module")
def closed(new_installation: NewInstallation) -> Iterator[Installation]:
    """Have two web instances where nobody is yet and sign-up is closed."""
    with new_installation(
        VL_SIGNUP="closed", VL_API_KEYS=str(KEYS), VL_PERSON_STREAMS=str(STREAMS)
    ) as own:
        own.start_web()
        own.start_web()
        yield own


@pytest.fixture(scope="module")
def first_accounts(closed: Installation) -> list[tuple[str, bool]]:
    """Have many sign up at once, where only the very first account may be made; give all made."""
    answers = sign_up_at_once(closed.processes, [f"carol{number}" for number in range(AT_ONCE)])
    assert {answer.status_code for answer in answers} <= FINE
    return closed.query("SELECT username, is_superuser FROM auth_user")


@pytest.fixture
def carol(closed: Installation, first_accounts: list[tuple[str, bool]]) -> Person:
    """Have her who was first signed in."""
    return Person(closed.processes[0].url).sign_in(first_accounts[0][0])


def all_at_once(
    calls: Sequence[Callable[[], requests.Response]],
) -> list[requests.Response]:
    """Make the calls at the same moment."""
    together = threading.Barrier(len(calls))

    def call(each: Callable[[], requests.Response]) -> requests.Response:
        together.wait()
        return each()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))


def sign_up_at_once(webs: Sequence[Product], names: Sequence[str]) -> list[requests.Response]:
    """Send the form under each of the names, by turns to each instance."""

    def call(url: str, name: str) -> Callable[[], requests.Response]:
        person = Person(url)
        person.http.get(f"{url}/accounts/signup/", timeout=TIMEOUT_S)
        form = {"username": name, "email": "", "password1": PASSWORD, "password2": PASSWORD}
        form["csrfmiddlewaretoken"] = str(person.http.cookies["csrftoken"])
        return lambda: person.http.post(f"{url}/accounts/signup/", data=form, timeout=TIMEOUT_S)

    return all_at_once([call(webs[n % len(webs)].url, name) for n, name in enumerate(names)])


def test_of_many_first_accounts_one_is_made_and_administers(
    closed: Installation, first_accounts: list[tuple[str, bool]]
) -> None:
    """Eight of eight were made, with PostgreSQL, though sign-up was closed."""
    assert [is_administrator for _name, is_administrator in first_accounts] == [True]
    for each in closed.processes:
        each.log.check_no_traceback()


def test_a_name_is_taken_once_whatever_its_capitals(closed: Installation, carol: Person) -> None:
    """Four accounts were made, by none of which anybody could sign in, and the rest got a 500."""
    open_webs = [closed.new_process(), closed.new_process()]
    for web in open_webs:
        web.environment["VL_SIGNUP"] = "open"
        web.start()

    answers = sign_up_at_once(open_webs, ["Twin", "twin", "TWIN", "tWin"] * 2)

    taken = closed.query("SELECT username FROM auth_user WHERE lower(username) = 'twin'")
    assert len(taken) == 1
    assert {answer.status_code for answer in answers} <= FINE
    assert Person(closed.processes[1].url).sign_in("twin")
    for web in open_webs:
        web.log.check_no_traceback()
        web.close()


def test_a_person_has_so_many_keys_at_most(closed: Installation, carol: Person) -> None:
    """Four of three were made."""
    post_form(carol, "/accounts/reauthenticate/", password=PASSWORD)
    form = {"name": "a", "scope": "chat", "days": "30"}
    form["csrfmiddlewaretoken"] = str(carol.http.cookies["csrftoken"])

    def call(web: Product) -> Callable[[], requests.Response]:
        person = elsewhere(carol, web)
        url = f"{web.url}/accounts/keys/"
        return lambda: person.http.post(url, data=form, timeout=TIMEOUT_S)

    all_at_once([call(closed.processes[n % 2]) for n in range(AT_ONCE)])

    assert closed.query("SELECT count(*) FROM chat_apikey") == [(KEYS,)]


def test_a_person_has_so_many_streams_at_each_instance(closed: Installation, carol: Person) -> None:
    """Fifteen of four were let in: they were counted when they began."""
    reply: str = carol.post("/api/conversations/", json={"text": "Hello"}).json()["reply"]

    def call(web: Product) -> Callable[[], requests.Response]:
        person = elsewhere(carol, web)
        return lambda: person.follow(reply).response

    answers = all_at_once([call(closed.processes[n % 2]) for n in range(AT_ONCE)])

    open_at = [answer.url.partition("/api")[0] for answer in answers if answer.ok]
    for answer in answers:
        answer.close()
    assert {answer.status_code for answer in answers} == {200, 429}
    assert sorted(open_at) == sorted([web.url for web in closed.processes[:2]] * STREAMS)
