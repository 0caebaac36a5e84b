"""The complete blocks of a reply over HTTP, while it is written and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chat.generation import following
from chat.generation.reply_log import MemoryReplyLog
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.factories import RUNNING, a_reply, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from chat.models import Reply

pytestmark = pytest.mark.django_db

TEXT = "**Circle** 🐟.\n\n- left\n\n12"  # of a list, perhaps
FIRST = '<p dir="auto"><strong>Circle</strong> 🐟.</p>\n'
FIRST_END = len("**Circle** 🐟.\n\n")  # code points: the fish is one


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryReplyLog:
    """Use an empty log."""
    log = MemoryReplyLog()
    monkeypatch.setattr(following, "reply_log", log)
    return log


@pytest.fixture
def running(alice: User, log: MemoryReplyLog) -> Reply:
    """Have a reply written here; its row is behind."""
    reply = a_reply(alice, **RUNNING, text="**Circle**")
    log.start(reply.pk, 1, TEXT)
    return reply


def look(user: User | None, reply: Reply, **part: Any) -> Any:
    """Ask for the complete blocks of a reply."""
    return browser_of(user).get(f"/api/replies/{reply.pk}/blocks/", part)


def test_complete_blocks_of_a_running_reply_come_from_the_log(alice: User, running: Reply) -> None:
    response = look(alice, running)

    assert response.status_code == 200
    assert response.json() == {"offset": 0, "end": FIRST_END, "html": FIRST}


def test_what_follows_is_asked_for_by_its_offset(
    alice: User, running: Reply, log: MemoryReplyLog
) -> None:
    nothing = look(alice, running, offset=FIRST_END).json()
    log.append(running.pk, 1, ".5 apples\n")

    more = look(alice, running, offset=FIRST_END).json()

    assert nothing == {"offset": FIRST_END, "end": FIRST_END, "html": ""}
    assert more["end"] == len(TEXT) - len("12")
    assert more["html"] == '<ul>\n<li dir="auto">left</li>\n</ul>\n'


def test_nothing_comes_of_what_the_page_does_not_know_yet(alice: User, running: Reply) -> None:
    before = look(alice, running, until=FIRST_END - 1).json()
    then = look(alice, running, until=FIRST_END).json()

    assert (before["end"], then["end"]) == (0, FIRST_END)


def test_another_instance_tells_what_its_row_has(alice: User, running: Reply, log: Any) -> None:
    log.forget([running.pk])

    response = look(alice, running)

    assert response.json() == {"offset": 0, "end": 0, "html": ""}


def test_a_reply_that_has_ended_is_read_from_its_row(
    alice: User, running: Reply, log: MemoryReplyLog
) -> None:
    log.end(running.pk, 1)
    end_reply(running, "Kept.\n\nCut", lease_owner="", lease_until=None)

    assert look(alice, running).json()["html"] == '<p dir="auto">Kept.</p>\n'


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"offset": 10_000}, id="beyond-the-end"),
        pytest.param({"offset": 5, "until": 2}, id="ends-before-it-begins"),
    ],
)
def test_an_empty_part_has_no_blocks(alice: User, running: Reply, part: dict[str, int]) -> None:
    response = look(alice, running, **part)

    assert response.json() == {"offset": part["offset"], "end": part["offset"], "html": ""}


@pytest.mark.parametrize("offset", ["-1", "x", str(2**80)])
def test_an_offset_that_is_none_is_refused(alice: User, running: Reply, offset: str) -> None:
    response = look(alice, running, offset=offset)

    assert (response.status_code, code_of(response)) == (400, "bad_frame")


def test_a_stranger_sees_nothing(bob: User, running: Reply) -> None:
    response = look(bob, running)

    assert (response.status_code, code_of(response)) == (404, "message_not_found")


def test_nobody_sees_nothing(running: Reply) -> None:
    response = look(None, running)

    assert (response.status_code, code_of(response)) == (401, "unauthenticated")
