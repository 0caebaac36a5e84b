"""Workers that die, stall or are told to end: another one goes on, and nobody sees it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from inference.testing import draw_png
from tests.server.people import Person, data_url

if TYPE_CHECKING:
    from tests.multi.installation import Installation
    from tests.server.people import Socket
    from tests.server.processes import Product

pytestmark = [pytest.mark.multi, pytest.mark.redis]

EVERY_WORD = " ".join(f"word{number}" for number in range(1, 61)) + "."


def row_of(installation: Installation, reply_id: str) -> tuple[Any, ...]:
    """Read a reply's state, attempt and text."""
    rows = installation.query(
        "SELECT state, attempt, text FROM chat_reply WHERE message_id = %s", reply_id
    )
    return rows[0]


def ask_slowly(socket: Socket, *, words: int) -> tuple[str, str]:
    """Ask for an answer that takes its time; give its id and so many words of it."""
    reply: str = socket.ask("Count slowly", options={"temperature": 0})["reply"]
    return reply, socket.read_words(reply, words)


@pytest.mark.slow
def test_a_killed_answer_is_continued_to_the_text_of_an_undisturbed_one(
    demo_installation: Installation,
) -> None:
    """By the demo model: greedily, killed in prefill, and with a seed, after some tokens."""
    installation = demo_installation
    web, worker = installation.start_web(), installation.start_worker()
    question: dict[str, Any] = {
        "text": "Describe the picture.",
        "image": data_url(draw_png(64, 64, (220, 40, 40))),
    }
    kills: dict[str, dict[str, Any]] = {
        "prefill": {"temperature": 0},
        "4": {"temperature": 1.2, "seed": 7},
    }
    with Person(web.url).sign_up("alice").connect() as alice:
        undisturbed = {at: alice.answer(**question, options=kills[at]) for at in kills}
        for at, options in kills.items():
            installation.die_at(at)
            reply = alice.ask(**question, options=options)["reply"]
            assert worker.exit_status() == -signal.SIGKILL
            installation.expire_lease(reply)
            worker = installation.start_worker()
            shown, final = alice.read_reply(reply)

            assert (final["content"], shown) == (undisturbed[at], undisturbed[at])
            assert row_of(installation, reply)[1] == 2


def count_tracebacks(*workers: Product) -> int:
    """Count those in the logs, for a test to compare: another's lost database leaves some too."""
    return sum(each.log.count_tracebacks() for each in workers)


def test_a_worker_that_is_told_to_end_returns_its_reply_at_once(
    installation: Installation, workers: tuple[Product, Product], alice: Socket
) -> None:
    reply, shown = ask_slowly(alice, words=18)
    writer, other = by_role(installation, reply, workers)
    tracebacks = count_tracebacks(writer, other)

    status = writer.end(signal.SIGTERM)
    text, final = alice.read_reply(reply, shown)

    assert status == 0
    assert final["content"] == text == EVERY_WORD
    assert row_of(installation, reply)[1] == 2
    assert count_tracebacks(writer, other) == tracebacks


def test_a_worker_that_wakes_up_after_a_takeover_writes_nothing(
    installation: Installation, workers: tuple[Product, Product], alice: Socket
) -> None:
    reply, shown = ask_slowly(alice, words=18)
    writer, _ = by_role(installation, reply, workers)
    assert writer.process is not None

    writer.process.send_signal(signal.SIGSTOP)
    installation.expire_lease(reply)
    text, final = alice.read_reply(reply, shown)
    ended = (row_of(installation, reply), entries(installation, reply))
    writer.process.send_signal(signal.SIGCONT)
    writer.log.wait_for("answer: gave up")

    assert final["content"] == text == EVERY_WORD
    assert (row_of(installation, reply), entries(installation, reply)) == ended
    assert ended[0][:2] == ("done", 2)
    assert all(entry[0].startswith("2-") for entry in ended[1])


def by_role(
    installation: Installation, reply_id: str, workers: tuple[Product, Product]
) -> tuple[Product, Product]:
    """Tell which worker writes the reply, and which does not."""
    [(owner,)] = installation.query(
        "SELECT lease_owner FROM chat_reply WHERE message_id = %s", reply_id
    )
    first, second = workers
    assert first.process is not None
    is_first = owner.split(":")[1] == str(first.process.pid)
    return (first, second) if is_first else (second, first)


def entries(installation: Installation, reply_id: str) -> Any:
    """Read what the reply's log holds."""
    with Redis.from_url(installation.redis_url, decode_responses=True) as client:
        return client.xrange(f"vl:reply:{reply_id}")
