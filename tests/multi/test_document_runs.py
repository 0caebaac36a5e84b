"""A run through a document is carried on by whoever is there: workers come and go meanwhile."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.chat.decoding import pdf_corpus as corpus
from tests.multi.test_takeover import EVERY_WORD, by_role, count_tracebacks
from tests.server.people import TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.multi.installation import Installation
    from tests.server.people import Person, Socket
    from tests.server.processes import Product

pytestmark = [pytest.mark.multi, pytest.mark.redis]

WITHIN_S = 90


def wait_for(person: Person, run: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look at the run until it is so."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        response = person.http.get(f"{person.url}/api/runs/{run}/", timeout=TIMEOUT_S)
        seen: dict[str, Any] = response.json()
        if is_so(seen):
            return seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)


def test_a_run_outlives_the_worker_that_writes_for_it(
    installation: Installation,
    workers: tuple[Product, Product],
    alice: Socket,
    alice_at_home: Person,
    elsewhere: Person,
) -> None:
    files = {"file": ("report.pdf", corpus.another_pdf(2), "application/pdf")}
    document = alice_at_home.post("/api/documents/", files=files).json()
    wanted = {"pages": [1, 2], "text": "Count slowly."}
    started = elsewhere.post(f"/api/documents/{document['id']}/runs/", json=wanted).json()
    first = started["pages"][0]["reply"]
    alice.send(type="resume", reply=first, offset=0)
    alice.read_words(first, 5)
    writer, other = by_role(installation, first, workers)
    tracebacks = count_tracebacks(writer, other)

    writer.end(signal.SIGTERM)

    ended = wait_for(alice_at_home, started["id"], lambda run: run["state"] == "done")
    assert [page["state"] for page in ended["pages"]] == ["done", "done"]
    exported = elsewhere.http.get(
        f"{elsewhere.url}/api/runs/{started['id']}/export/", timeout=TIMEOUT_S
    )
    assert exported.text.count(EVERY_WORD) == 2
    assert count_tracebacks(writer, other) == tracebacks
