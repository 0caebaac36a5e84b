"""Two web instances and their workers: one product, whatever fails beside them."""

from __future__ import annotations

import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed

from chat.protocol import CloseCode
from tests.multi.installation import METRICS_TOKEN
from tests.multi.test_takeover import EVERY_WORD, ask_slowly, row_of
from tests.server.people import TIMEOUT_S, Person

if TYPE_CHECKING:
    from tests.multi.installation import Installation
    from tests.multi.postgres import Postgres
    from tests.redis.server import RedisServer
    from tests.server.people import Socket
    from tests.server.processes import Product

pytestmark = [pytest.mark.multi, pytest.mark.redis]

SENDS = 40


def test_a_reply_is_followed_and_stopped_from_any_instance(
    workers: tuple[Product, Product], alice: Socket, elsewhere: Person
) -> None:
    reply, shown = ask_slowly(alice, words=5)
    with elsewhere.connect() as other:
        other.send(type="resume", reply=reply, offset=0)
        beginning = other.read_words(reply, 8)
        other.send(type="stop", reply=reply)
        _, final = alice.read_reply(reply, shown)
        _, final_elsewhere = other.read_reply(reply, beginning)

    assert EVERY_WORD.startswith(beginning)
    assert final["finish_reason"] == "stopped"
    assert len(beginning) <= len(final["content"]) < len(EVERY_WORD)
    assert final_elsewhere == final


def test_a_web_process_holds_no_torch(web: Product, alice: Socket) -> None:
    """It serves pages and sockets."""
    assert web.process is not None
    mapped = Path(f"/proc/{web.process.pid}/maps").read_text(encoding="utf-8")

    assert "psycopg" in mapped
    assert "torch" not in mapped


def test_any_web_process_tells_what_each_worker_wrote(
    workers: tuple[Product, Product], alice: Socket, elsewhere: Person
) -> None:
    alice.read_reply(alice.ask("Hello")["reply"])
    deadline = time.monotonic() + TIMEOUT_S

    written: list[float] = []
    while len(written) < len(workers) or sum(written) == 0:
        assert time.monotonic() < deadline, written
        threading.Event().wait(0.2)  # the next beat of each brings it
        written = tokens_by_worker(elsewhere.url)


def tokens_by_worker(url: str) -> list[float]:
    """Read what Prometheus would."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    response = requests.get(f"{url}/metrics", headers=headers, timeout=TIMEOUT_S)
    assert response.status_code == 200
    return [
        sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        if sample.name == "vl_tokens_total"
    ]


def test_the_same_id_sent_over_two_instances_starts_one_turn(
    installation: Installation, workers: tuple[Product, Product], alice: Socket, elsewhere: Person
) -> None:
    message_id = str(uuid.uuid4())

    def send_many(socket: Socket) -> set[tuple[str, str]]:
        for _ in range(SENDS):
            socket.send(type="message", text="Hello", id=message_id)
        answers = [socket.until("accepted", "error") for _ in range(SENDS)]
        return {(each["type"], each.get("reply", each)) for each in answers}

    with elsewhere.connect() as other, ThreadPoolExecutor() as pool:
        accepted = set.union(*pool.map(send_many, (alice, other)))

    assert [kind for kind, _ in accepted] == ["accepted"]
    assert installation.query(
        "SELECT count(*) FROM chat_message WHERE client_id = %s", message_id
    ) == [(1,)]


@pytest.mark.parametrize("how", ["FLUSHALL", "restart"])
def test_a_redis_that_forgets_everything_costs_no_text(
    workers: tuple[Product, Product], alice: Socket, redis_server: RedisServer, how: str
) -> None:
    reply, shown = ask_slowly(alice, words=10)

    if how == "restart":
        redis_server.stop()
        redis_server.start()
    else:
        redis_server.flush()
    text, final = alice.read_reply(reply, shown)

    assert final["content"] == EVERY_WORD
    assert EVERY_WORD.startswith(text)


def test_a_web_process_that_is_told_to_end_says_so_and_sends_its_sockets_elsewhere(
    installation: Installation, alice_at_home: Person
) -> None:
    leaving = installation.start_web()
    assert leaving.process is not None
    person = Person(leaving.url)
    person.http.cookies.update(alice_at_home.http.cookies)
    with person.connect() as socket:
        leaving.process.send_signal(signal.SIGTERM)
        while (ready := ask_ready(leaving)).status_code == 200:
            pass  # the signal is on its way
        with pytest.raises(ConnectionClosed) as closed:
            socket.read_to_the_end()

    assert (ready.status_code, ready.json()["draining"]) == (503, True)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CloseCode.RESTARTING
    assert leaving.exit_status() == 0
    leaving.log.check_no_traceback()


def ask_ready(web: Product) -> requests.Response:
    """Ask as a proxy does."""
    return requests.get(f"{web.url}/readyz", timeout=TIMEOUT_S)


def test_a_restarted_database_costs_no_text(
    installation: Installation,
    workers: tuple[Product, Product],
    alice: Socket,
    postgres: Postgres,
) -> None:
    reply, shown = ask_slowly(alice, words=10)

    postgres.stop()
    postgres.start()
    if row_of(installation, reply)[0] == "running":
        installation.expire_lease(reply)
    text, final = alice.read_reply(reply, shown)

    assert final["content"] == text == EVERY_WORD


def test_without_a_worker_the_page_says_so_and_questions_wait(
    installation: Installation, elsewhere: Person
) -> None:
    for worker in installation.living_workers():
        worker.end()
    with elsewhere.connect() as socket:
        info = socket.until("info")
        while info["state"]["phase"] != "failed":
            info = socket.until("info")
        reply = socket.ask("Hello")["reply"]
        waiting = row_of(installation, reply)
        installation.start_worker()
        _, final = socket.read_reply(reply)

    assert info["content"].startswith("Nobody answers at the moment.")
    assert waiting[0] == "queued"
    assert final["type"] == "final"
