"""A whole conversation without a socket: a plain HTTP client against a real server."""

from __future__ import annotations

import signal
import uuid
from typing import TYPE_CHECKING

from tests.server.people import Person
from tests.server.processes import PACED

if TYPE_CHECKING:
    from tests.server.conftest import MakeProduct

EVERY_WORD = " ".join(f"word{number}" for number in range(1, 61)) + "."


def ask(person: Person, text: str, **fields: object) -> dict[str, str]:
    """Start a turn in a new conversation; give what was kept."""
    response = person.post("/api/conversations/", json={"text": text, **fields})
    assert response.status_code == 202, response.text
    kept: dict[str, str] = response.json()
    return kept


def test_a_turn_is_asked_and_its_answer_read_without_a_socket(alice: Person) -> None:
    kept = ask(alice, "My first question")
    with alice.follow(kept["reply"]) as stream:
        text, last = stream.read_text()

    assert stream.response.headers["Content-Type"] == "text/event-stream"
    assert stream.response.headers["Cache-Control"] == "no-store"
    assert stream.response.headers["X-Accel-Buffering"] == "no"
    assert (last.name, last.id) == ("final", len(last.frame["content"]))
    assert last.frame["content"].startswith(text)
    assert "My first question" in last.frame["content"]


def test_a_second_turn_over_http_knows_the_first(alice: Person) -> None:
    first = ask(alice, "My first question")
    with alice.follow(first["reply"]) as stream:
        stream.read_text()
    response = alice.post(
        f"/api/conversations/{first['conversation']}/turns/", json={"text": "And then?"}
    )
    with alice.follow(response.json()["reply"]) as stream:
        _, last = stream.read_text()

    assert response.status_code == 202
    assert response.json()["conversation"] == first["conversation"]
    assert "You asked first: 'My first question'" in last.frame["content"]


def test_a_socket_sees_the_turn_that_was_asked_over_http(alice: Person) -> None:
    with alice.connect() as socket:
        socket.until("info")
        kept = ask(alice, "What is this?")
        card = socket.until("conversation")

    assert (card["message"], card["reply"]) == (kept["message"], kept["reply"])


def test_somebody_elses_events_are_missing_ones_byte_for_byte(alice: Person, bob: Person) -> None:
    kept = ask(alice, "What is this?")

    with bob.follow(kept["reply"]) as others, bob.follow(str(uuid.uuid4())) as nobodys:
        found = [(each.response.status_code, each.response.content) for each in (others, nobodys)]

    assert found[0] == found[1]
    assert found[0][0] == 404


def test_a_stream_cut_off_by_the_end_of_the_server_goes_on_at_the_next(
    own_product: MakeProduct,
) -> None:
    product = own_product()
    product.start(command=PACED)
    alice = Person(product.url).sign_up("alice")
    kept = ask(alice, "Count slowly", options={"temperature": 0})
    with alice.follow(kept["reply"]) as gone_early:
        next(iter(gone_early))
    with alice.follow(kept["reply"]) as stream:
        events = iter(stream)
        event = next(events)
        while event.id < len("word1 word2 word3"):
            event = next(events)
        status = product.end(signal.SIGTERM)
        *_, last = [event, *events]  # the stream ends, and no exception says that it broke
    assert status == 0
    assert last.name == "partial"
    product.log.check_no_traceback()
    assert "took too long" not in str(product.log)

    product.start(command=PACED)
    with alice.follow(kept["reply"], last_event_id=last.id) as stream:
        text, final = stream.read_text(EVERY_WORD[: last.id])

    assert final.frame["content"] == EVERY_WORD
    assert EVERY_WORD.startswith(text)
