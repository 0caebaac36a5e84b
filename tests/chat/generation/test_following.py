"""Following: the log while it is written here, the row otherwise, and the end once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from chat.errors import ChatError, ErrorCode
from chat.generation import following, local
from chat.generation.reply_log import MemoryReplyLog
from chat.protocol import ErrorFrame, FinalFrame
from inference.requests import Stage
from inference.testing import Gate, Script, scripted_service
from tests.chat.factories import RUNNING, a_reply, a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoAssertNumQueries

DEADLINE_S = 10.0


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryReplyLog:
    """Use an empty log."""
    log = MemoryReplyLog()
    monkeypatch.setattr(following, "reply_log", log)
    return log


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Have a model that is ready; closing the gate before `local.runner` is used changes that."""
    gate = Gate()
    with scripted_service(Script(gate=gate)) as service:
        service.wait_ready(DEADLINE_S)
        runner = local.LocalRunner(service)
        monkeypatch.setattr(local, "runner", lambda: runner)
        yield gate


def test_a_reply_written_here_is_read_from_the_log_alone(
    alice: User, log: MemoryReplyLog, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    reply = a_reply(alice, **RUNNING, text="kept")
    log.start(reply.pk, 1, "kept and new")
    log.set_status(reply.pk, 1, {"stage": "decode"})

    with django_assert_num_queries(0):
        seen = following.view(alice, reply.pk, 5)

    assert seen == following.View("and new", {"stage": "decode"}, None)


def test_a_reply_written_elsewhere_is_read_from_its_row(alice: User) -> None:
    reply = a_reply(alice, **RUNNING, text="kept text")

    seen = following.view(alice, reply.pk, 5)

    assert seen == following.View("text", None, None)


def test_a_log_that_has_ended_gives_way_to_the_row(alice: User, log: MemoryReplyLog) -> None:
    """A worker that lost its lease ends its log; the row tells how it went on."""
    reply = a_reply(alice, **RUNNING, text="from the row")
    log.start(reply.pk, 1, "from the log")
    log.end(reply.pk, 1)

    assert following.view(alice, reply.pk, 0).text == "from the row"


def test_a_waiting_reply_has_its_place_in_the_queue(alice: User, bob: User) -> None:
    a_reply(bob, waiting_s=9)
    reply = a_reply(alice, waiting_s=1)

    assert following.view(alice, reply.pk, 0).status == {"stage": "queued", "position": 2}


def test_a_look_without_status_costs_one_query_however_many_wait(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Each follower of a waiting reply once read the whole queue every second."""
    reply = a_reply(alice)

    with django_assert_num_queries(1):
        seen = following.view(alice, reply.pk, 0, with_status=False)

    assert seen == following.View("", None, None)


def test_a_waiting_reply_says_about_how_long_by_the_recent_ones(alice: User) -> None:
    for seconds in (4, 8):
        began = timezone.now()
        ended = began + timedelta(seconds=seconds)
        a_reply(alice, state="done", finish_reason="stop", started_at=began, ended_at=ended)
    a_reply(alice, waiting_s=9)
    reply = a_reply(alice, waiting_s=1)

    status = following.view(alice, reply.pk, 0).status

    assert status == {"stage": "queued", "position": 2, "eta_s": 12.0}


def test_a_reply_back_in_the_queue_keeps_its_text(alice: User) -> None:
    reply = a_reply(alice, text="so far", attempt=1)

    seen = following.view(alice, reply.pk, 0)

    assert (seen.text, seen.status) == ("so far", {"stage": "queued", "position": 1})


def test_a_reply_that_waits_for_the_model_says_how_far_loading_is(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = a_reply(alice)
    gate = Gate(is_open=False)
    gate.allow(Stage.LOADING, 1)
    with scripted_service(Script(gate=gate)) as service:
        monkeypatch.setattr(local, "runner", lambda: local.LocalRunner(service))
        gate.wait_until_blocked(Stage.LOADING, DEADLINE_S)
        seen = following.view(alice, reply.pk, 0)
        gate.open()

    assert seen.status is not None
    assert (seen.status["stage"], seen.status["total"]) == ("loading", 4)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param("done", "stop", id="complete"),
        pytest.param("done", "length", id="cut off"),
        pytest.param("done", "repetition", id="ended by repetition"),
        pytest.param("stopped", "stopped", id="stopped"),
    ],
)
def test_an_ended_reply_gives_its_final(alice: User, state: str, reason: str) -> None:
    turn = a_turn(alice)
    end_reply(
        turn.reply, "**红** <b>", state=state, finish_reason=reason, model="m", is_demo=True,
        usage={"completion_tokens": 3}, timings={"total_ms": 4},
    )  # fmt: skip

    final = following.view(alice, turn.reply.pk, 0).terminal

    assert isinstance(final, FinalFrame)
    assert (final.content, final.finish_reason) == ("**红** <b>", reason)
    assert final.sha256 == hashlib.sha256("**红** <b>".encode()).hexdigest()
    assert (final.model, final.demo) == ("m", True)
    assert (final.usage, final.timings) == ({"completion_tokens": 3}, {"total_ms": 4})
    assert (final.reply, final.conversation) == (turn.reply.pk, turn.conversation.pk)


@pytest.mark.parametrize(
    ("offset", "rest"),
    [
        pytest.param(0, "one two", id="nothing seen"),
        pytest.param(4, "two", id="some seen"),
        pytest.param(7, "", id="all seen"),
    ],
)
def test_an_ended_reply_gives_what_was_not_seen_before_its_final(
    alice: User, offset: int, rest: str
) -> None:
    turn = a_turn(alice)
    end_reply(turn.reply, "one two")

    seen = following.view(alice, turn.reply.pk, offset)

    assert seen.text == rest
    assert isinstance(seen.terminal, FinalFrame)


def test_the_html_of_a_final_is_rendered_and_safe(alice: User) -> None:
    turn = a_turn(alice)
    end_reply(turn.reply, "**bold** <script>alert(1)</script>")

    final = following.view(alice, turn.reply.pk, 0).terminal

    assert isinstance(final, FinalFrame)
    assert "<strong>bold</strong>" in final.html
    assert "<script" not in final.html


@pytest.mark.parametrize("code", [pytest.param(code, id=code.value) for code in ErrorCode])
def test_a_failed_reply_gives_its_error(alice: User, code: ErrorCode) -> None:
    reply = a_reply(alice, state="failed", error_code=code.value)

    error = following.view(alice, reply.pk, 0).terminal

    assert isinstance(error, ErrorFrame)
    assert (error.code, error.reply) == (code, reply.pk)
    assert error.content


def test_a_stranger_sees_nothing(alice: User, bob: User) -> None:
    reply = a_reply(alice, text="secret")

    with pytest.raises(ChatError) as caught:
        following.view(bob, reply.pk, 0)

    assert caught.value.code == ErrorCode.MESSAGE_NOT_FOUND


def test_a_reply_that_is_gone_is_said(alice: User) -> None:
    reply = a_reply(alice)
    reply.message.conversation.delete()

    with pytest.raises(ChatError) as caught:
        following.view(alice, reply.pk, 0)

    assert caught.value.code == ErrorCode.MESSAGE_NOT_FOUND


def test_the_open_replies_of_a_conversation_are_found(alice: User) -> None:
    waiting, ended = a_reply(alice), a_reply(alice, state="done", finish_reason="stop")
    running: dict[str, Any] = {**RUNNING}
    other = a_reply(alice, **running)

    found = [
        following.open_reply_ids(reply.message.conversation_id) for reply in (waiting, ended, other)
    ]

    assert found == [[waiting.pk], [], [other.pk]]
