"""The runner carries runs through documents on, page by page, each page by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from chat.generation import local, page_runs, sweeper
from chat.generation.request import request_for
from chat.models import Document, DocumentRun, Reply
from chat.services import document_runs, documents
from tests.chat.conftest import Stage
from tests.chat.decoding import pdf_corpus as corpus
from tests.chat.factories import a_turn, end_reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)
DEADLINE_S = 30.0


@pytest.fixture(autouse=True)
def _media(settings: SettingsWrapper, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.VL_PAGE_PIXELS = 10_000


@pytest.fixture
def document(alice: User) -> Document:
    return documents.store_upload(alice, corpus.SOUND, name="report.pdf")


def wait_for(run: DocumentRun, is_so: Callable[[DocumentRun], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so(run):
        assert time.monotonic() < deadline, (run.state, document_runs.pages(run))
        time.sleep(0.02)
        run.refresh_from_db()


def test_the_runner_answers_page_after_page(
    alice: User, document: Document, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SWEEP_S", "SWEEP_FILES_S"):  # it does not need the sweeper
        monkeypatch.setattr(sweeper, name, 3600.0)
    run = document_runs.start(alice, document, [1, 2, 3], text="")

    wait_for(run, lambda run: run.state == "done")

    texts = [page.text for page in document_runs.pages(run)]
    assert all("turn 1 with 1 pictures (85x119)" in text for text in texts), texts


def test_stopping_the_answer_being_written_stops_the_run(
    alice: User, document: Document, stage: Stage
) -> None:
    stage.gate.close()
    run = document_runs.start(alice, document, [1, 2], text="")
    reply = Reply.objects.get()
    wait_for(run, lambda _: Reply.objects.filter(pk=reply.pk, state="running").exists())

    local.stop(alice, reply.pk, seen_offset=None)

    wait_for(run, lambda run: run.state == "stopped")
    assert [page.state for page in document_runs.pages(run)] == ["stopped", "waiting"]


def test_a_page_is_asked_about_without_those_before_it(alice: User, document: Document) -> None:
    run = document_runs.start(alice, document, [1, 2], text="Read it.")
    end_reply(Reply.objects.open().get(), "one")
    document_runs.advance(run.conversation_id)

    request = request_for(Reply.objects.open().get(), is_demo=False)

    assert [message.text for message in request.messages] == ["Read it."]


def test_a_question_after_the_run_knows_all_of_it(alice: User, document: Document) -> None:
    run = document_runs.start(alice, document, [1], text="Read it.")
    end_reply(Reply.objects.open().get(), "one")
    turn = a_turn(alice, "What was it?", conversation_id=run.conversation_id)

    request = request_for(turn.reply, is_demo=False)

    assert [message.text for message in request.messages] == ["Read it.", "one", "What was it?"]


def test_a_page_that_is_cut_off_is_written_to_its_end(
    alice: User, document: Document, stage: Stage, settings: SettingsWrapper
) -> None:
    settings.VL_MAX_TOKENS = 2
    settings.VL_PAGE_TOKENS = 4
    stage.answers.append("one two three four five six")

    run = document_runs.start(alice, document, [1, 2], text="")
    wait_for(run, lambda run: run.state == "done")

    texts = [page.text for page in document_runs.pages(run)]
    assert [text.split() for text in texts] == [["one", "two", "three", "four"]] * 2


def test_what_forbids_to_go_on_passes(
    alice: User, document: Document, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = document_runs.start(alice, document, [1], text="")
    reply = Reply.objects.get()
    end_reply(reply, "half a", finish_reason="length")
    with monkeypatch.context() as patch:
        patch.setattr(settings, "VL_QUEUE_REPLIES", 0)
        page_runs.carry_on_after(reply.pk)
        assert not Reply.objects.open().exists()

    page_runs.carry_on_idle()

    run.refresh_from_db()
    assert (run.state, Reply.objects.open().get()) == ("running", reply)


def test_a_sweep_carries_runs_on_and_removes_old_documents(
    alice: User, document: Document, settings: SettingsWrapper
) -> None:
    run = document_runs.start(alice, document, [1, 2], text="")
    end_reply(Reply.objects.open().get(), "one")
    other = documents.store_upload(alice, corpus.another_pdf(), name="old.pdf")
    Document.objects.filter(pk=other.pk).update(created_at=run.created_at.replace(year=2020))

    sweeper.sweep()
    is_carried_on = Reply.objects.open().exists()
    sweeper.sweep_files()

    assert not is_carried_on  # a slow page would hold up what looks after lost replies
    assert Reply.objects.open().count() == 1
    assert list(Document.objects.all()) == [document]
