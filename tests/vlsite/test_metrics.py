"""`/metrics` tells those who have the token, and nobody else that it is there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from chat.drain import drain
from chat.generation import local
from chat.generation.workers import Beat
from inference.service import ServiceState
from inference.testing import make_request, read_events, scripted_service
from tests.chat.factories import a_reply, a_turn, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpResponseBase
    from pytest_django.fixtures import SettingsWrapper

TOKEN = "a token of Prometheus"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Beat]:
    """Have workers that say this."""
    told: list[Beat] = []
    monkeypatch.setattr(local, "answerer", lambda: SimpleNamespace(beats=told))
    return told


@pytest.fixture
def worker(told: list[Beat]) -> Beat:
    """Have a worker that wrote an answer."""
    with scripted_service() as service:
        assert service.wait_ready(20)
        read_events(service.submit(make_request()))
        told.append(Beat.of("host:1", service))
    return told[-1]


@pytest.fixture(autouse=True)
def token(settings: SettingsWrapper) -> None:
    settings.VL_METRICS_TOKEN = TOKEN


def ask(sent: str = f"Bearer {TOKEN}") -> HttpResponseBase:
    return Client(headers={"authorization": sent} if sent else {}).get("/metrics")


def samples() -> dict[tuple[str, ...], float]:
    """Read all numbers, by name and labels in their order."""
    response = ask()
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sent",
    ["", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer another", f"Bearer {TOKEN}x", "Bearer ü"],
)
def test_without_the_token_there_is_no_such_page(worker: Beat, sent: str) -> None:
    assert ask(sent).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer "])
def test_where_no_token_is_set_nobody_has_it(settings: SettingsWrapper, sent: str) -> None:
    settings.VL_METRICS_TOKEN = ""

    assert ask(sent).status_code == 404


@pytest.mark.django_db
def test_being_signed_in_is_no_token(carol: User) -> None:
    client = Client()
    client.force_login(carol)

    assert client.get("/metrics").status_code == 404


@pytest.mark.django_db
def test_replies_are_counted_by_state(told: list[Beat], alice: User) -> None:
    a_reply(alice, waiting_s=1)
    a_reply(alice, waiting_s=1)
    end_reply(a_turn(alice, "Hello").reply, "Yes.")

    numbers = samples()

    assert numbers["vl_replies", "queued"] == numbers["vl_queue_length",] == 2
    assert numbers["vl_replies", "done"] == 1
    assert numbers["vl_replies", "failed"] == 0


@pytest.mark.django_db
def test_what_a_worker_did_is_told_under_its_name(worker: Beat) -> None:
    numbers = samples()

    assert worker.stats is not None
    assert numbers["vl_tokens_total", "host:1"] == worker.stats.tokens > 0
    assert numbers["vl_finished_answers_total", "host:1"] == 1
    assert numbers["vl_first_token_seconds_count", "host:1"] == 1
    assert numbers["vl_first_token_seconds_bucket", "+Inf", "host:1"] == 1
    assert numbers["vl_first_token_seconds_sum", "host:1"] == pytest.approx(
        worker.stats.first_tokens.sum_s
    )
    assert numbers["vl_kept_tokens_total", "host:1"] == 0
    assert numbers["vl_memory_bytes", "host:1"] > 0


@pytest.mark.django_db
def test_worker_without_figures_or_model_breaks_nothing(told: list[Beat]) -> None:
    told.append(Beat(ServiceState(), 1, owner="of another version"))
    with scripted_service() as service:
        told.append(Beat.of("loading", service))

    assert ("vl_tokens_total", "loading") in samples()


@pytest.mark.django_db
def test_process_and_sockets_are_told(told: list[Beat]) -> None:
    socket = object()
    drain.add(socket, drain_nothing)
    try:
        numbers = samples()
    finally:
        drain.discard(socket)

    assert numbers["vl_sockets",] == drain.sockets + 1
    assert numbers["process_resident_memory_bytes",] > 0


async def drain_nothing() -> None:
    """Stand for the closing of a socket."""


@pytest.mark.django_db
def test_the_one_process_tells_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_service() as service:
        runner = local.LocalRunner(service)
        monkeypatch.setattr(local, "runner", lambda: runner)

        assert ("vl_tokens_total", runner.owner) in samples()
