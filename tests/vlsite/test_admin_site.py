"""The admin's page about the server: those who may see replies see who answers, and how fast."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from chat.generation import local
from chat.generation.workers import Beat
from inference.live_stats import AnswerMeter
from inference.model_stats import ModelStats
from inference.service import Phase, ServiceState
from inference.service_state import ServiceStats
from tests.chat.admin.test_admin import desk_of, page
from tests.chat.factories import a_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SERVER = reverse("admin:server")
MODEL = ModelStats(
    backend="engine",
    kernels="avx512",
    number_format="int8",
    batch=3,
    cache_tokens=32_768,
    cache_used_tokens=1_600,
    picture_bytes=3 * 2**20,
    drafted_tokens=50,
    kept_tokens=41,
)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Beat]:
    """Have workers that say this."""
    told: list[Beat] = []
    monkeypatch.setattr(local, "answerer", lambda: SimpleNamespace(beats=told))
    return told


def a_beat(model: ModelStats | None = MODEL) -> Beat:
    service = ServiceStats(queued=0, running=3, slots=8, finished=12, failed=1)
    state = ServiceState(phase=Phase.READY, model="Qwen3-VL-2B")
    return Beat(state, 8, owner="host:1", stats=AnswerMeter().read(service, model))


def test_page_shows_who_answers_with_what_and_how_full(carol: User, told: list[Beat]) -> None:
    told.append(a_beat())

    html = page(carol, SERVER)

    for words in ("host:1", "Qwen3-VL-2B", "engine", "avx512", "int8", "3 of 8 at most"):
        assert words in html
    assert "1,600 of 32,768 tokens" in html
    assert "50, 41" in html


def test_page_tells_how_many_wait(carol: User, alice: User, told: list[Beat]) -> None:
    a_reply(alice, waiting_s=1)

    html = page(carol, SERVER)

    assert "1 question waits." in html
    assert "Nobody answers at the moment." in html


@pytest.mark.parametrize(
    ("beat", "said"),
    [
        (Beat(ServiceState(), 1, owner="old"), "of another version"),
        (a_beat(None), "3 of 8 at most"),
        (a_beat(ModelStats(backend="transformers", number_format="bfloat16")), "bfloat16"),
    ],
    ids=["another version", "no model yet", "another backend"],
)
def test_what_a_worker_does_not_say_is_left_out(
    carol: User, told: list[Beat], beat: Beat, said: str
) -> None:
    told.append(beat)

    html = page(carol, SERVER)

    assert said in html
    assert "Kernels" not in html
    assert "None" not in html


def test_page_is_on_the_index_of_those_who_may_see_it(carol: User, bob: User) -> None:
    bob.is_staff = True
    bob.save()
    index = reverse("admin:index")

    assert SERVER in page(carol, index)
    assert SERVER not in page(bob, index)


def test_page_is_not_for_staff_who_may_not_see_replies(carol: User, told: list[Beat]) -> None:
    carol.user_permissions.remove(Permission.objects.get(codename="view_reply"))

    assert desk_of(carol).get(SERVER).status_code == 403


def test_page_is_not_for_people(alice: User) -> None:
    assert desk_of(alice).get(SERVER).status_code == 302


def test_nothing_can_be_sent_to_the_page(carol: User, told: list[Beat]) -> None:
    told.append(a_beat())

    assert desk_of(carol).post(SERVER).status_code == 405
