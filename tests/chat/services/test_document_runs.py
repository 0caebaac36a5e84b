"""A run asks about one page after another, whatever happens to pages, workers and the PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chat.decoding.decoder import decoder
from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Document, DocumentRun, Message, Reply, RunPage
from chat.services import deletion, document_runs, documents, turns
from chat.shares import Shares
from tests.chat.decoding import pdf_corpus as corpus
from tests.chat.factories import RUNNING, end_reply, row_of

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)
FAILED = {"state": "failed", "finish_reason": "", "error_code": "generation_failed"}
STOPPED = {"state": "stopped", "finish_reason": "stopped"}


@pytest.fixture(autouse=True)
def _media(settings: SettingsWrapper, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.VL_PAGE_PIXELS = 10_000


@pytest.fixture
def document(alice: User) -> Document:
    return documents.store_upload(alice, corpus.SOUND, name="report.pdf")


@pytest.fixture
def run(alice: User, document: Document) -> DocumentRun:
    return document_runs.start(alice, document, [1, 2, 3], text="")


def states(run: DocumentRun) -> list[str]:
    return [page.state for page in document_runs.pages(run)]


def open_reply() -> Reply:
    return Reply.objects.open().get()


def answer(run: DocumentRun, text: str = "words", **fields: object) -> None:
    """End the reply that waits, as a worker would."""
    reply = open_reply()
    end_reply(reply, text, **fields)
    document_runs.advance_after(reply.pk)
    run.refresh_from_db()


def test_a_run_has_a_conversation_and_asks_about_its_first_page(
    alice: User, run: DocumentRun
) -> None:
    question = Message.objects.get(role="user")

    assert (run.conversation.owner, run.conversation.title) == (alice, "report.pdf")
    assert question.text == run.text == document_runs.default_text()
    assert len(question.images_in_order()) == 1
    assert open_reply().options["pixels"] == "detail"
    assert states(run) == ["running", "waiting", "waiting"]


def test_each_page_is_asked_about_when_the_one_before_has_ended(run: DocumentRun) -> None:
    seen = []
    for number in (1, 2, 3):
        seen.append(states(run))
        answer(run, f"text {number}")

    assert seen == [
        ["running", "waiting", "waiting"],
        ["done", "running", "waiting"],
        ["done", "done", "running"],
    ]
    assert run.state == "done"
    assert [page.text for page in document_runs.pages(run)] == ["text 1", "text 2", "text 3"]
    assert not Reply.objects.open().exists()


def test_the_questions_stand_one_below_the_other(run: DocumentRun) -> None:
    answer(run)
    second = open_reply().message.parent

    assert second is not None
    assert second.parent is not None
    assert second.parent.role == "assistant"


def test_pages_are_asked_about_in_the_order_chosen_and_once(
    alice: User, document: Document
) -> None:
    run = document_runs.start(alice, document, [3, 1, 3], text="What is this?")

    assert [page.number for page in run.pages.all()] == [3, 1]
    assert Message.objects.get(role="user").text == "What is this?"


@pytest.mark.parametrize(
    ("numbers", "text", "code"),
    [
        pytest.param([], "", ErrorCode.BAD_FRAME, id="no page"),
        pytest.param([4], "", ErrorCode.DOCUMENT_NOT_FOUND, id="no such page"),
        pytest.param([1], "x" * 100_000, ErrorCode.TEXT_TOO_LONG, id="too long a text"),
    ],
)
def test_a_run_that_cannot_be_leaves_nothing(
    alice: User, document: Document, numbers: list[int], text: str, code: ErrorCode
) -> None:
    with pytest.raises(ChatError) as refused:
        document_runs.start(alice, document, numbers, text=text)

    assert refused.value.code == code
    assert not Conversation.objects.exists()


def test_a_page_that_fails_does_not_hold_up_the_others(run: DocumentRun) -> None:
    answer(run, "", **FAILED)
    answer(run)
    answer(run)

    assert states(run) == ["failed", "done", "done"]
    assert run.state == "done"


def test_a_page_that_cannot_be_drawn_does_not_hold_up_the_others(
    alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = decoder.page

    def fail_for_first(content: bytes, number: int, **options: int) -> object:
        if number == 1:
            raise ChatError(ErrorCode.DOCUMENT_UNREADABLE)
        return draw(content, number, **options)

    monkeypatch.setattr(decoder, "page", fail_for_first)

    run = document_runs.start(alice, document, [1, 2], text="")

    assert states(run) == ["failed", "running"]


def test_a_page_waits_while_its_persons_files_took_their_time(
    run: DocumentRun, monkeypatch: pytest.MonkeyPatch, settings: SettingsWrapper
) -> None:
    settings.VL_PERSON_DECODE_S_PER_MINUTE = 1
    monkeypatch.setattr(decoder, "_shares", taken := Shares("DECODE"))
    taken.add(run.conversation.owner_id, 1)
    answer(run)
    assert states(run) == ["done", "waiting", "waiting"]
    monkeypatch.setattr(decoder, "_shares", Shares("DECODE"))  # as a minute later

    document_runs.advance_idle()

    assert states(run) == ["done", "running", "waiting"]


def test_failed_pages_are_asked_about_again(run: DocumentRun) -> None:
    answer(run, "", **FAILED)
    answer(run)
    answer(run)

    document_runs.go_on(run)
    run.refresh_from_db()

    assert (run.state, states(run)) == ("running", ["running", "done", "done"])
    answer(run, "at last")
    assert (run.state, document_runs.pages(run)[0].text) == ("done", "at last")


@pytest.mark.parametrize(
    ("fields", "is_cut"),
    [
        pytest.param({"finish_reason": "length"}, True, id="by its length"),
        pytest.param({"finish_reason": "stop"}, False, id="not at all"),
        pytest.param(
            {"finish_reason": "length", "options": {"max_tokens": 4096}}, False, id="for good"
        ),
    ],
)
def test_the_rest_of_a_page_comes_before_the_next_page(
    run: DocumentRun, fields: dict[str, object], is_cut: bool
) -> None:
    reply = open_reply()
    end_reply(reply, "half a", **fields)

    cut = document_runs.advance_after(reply.pk)

    assert cut == (reply if is_cut else None)
    assert states(run) == ["done", "waiting" if is_cut else "running", "waiting"]


def test_stopping_an_answer_stops_the_run(run: DocumentRun) -> None:
    answer(run)
    answer(run, "half", **STOPPED)

    assert (run.state, states(run)) == ("stopped", ["done", "stopped", "waiting"])
    assert not Reply.objects.open().exists()


def test_a_stopped_run_goes_on_where_it_was(run: DocumentRun) -> None:
    answer(run)
    answer(run, "half", **STOPPED)

    document_runs.go_on(run)
    answer(run, "three")
    answer(run, "two")

    assert (run.state, states(run)) == ("done", ["done", "done", "done"])
    assert [page.text for page in document_runs.pages(run)] == ["words", "two", "three"]


def test_stop_names_the_replies_to_stop_and_asks_no_more(run: DocumentRun) -> None:
    assert document_runs.stop(run) == [open_reply().pk]

    answer(run)

    assert (run.state, states(run)) == ("stopped", ["done", "waiting", "waiting"])


def test_stopping_what_is_over_changes_nothing(alice: User, document: Document) -> None:
    run = document_runs.start(alice, document, [1], text="")
    answer(run)

    assert document_runs.stop(run) == []

    run.refresh_from_db()
    assert run.state == "done"


def test_a_run_stopped_while_a_page_is_drawn_asks_no_more(
    run: DocumentRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = documents.page_images

    def stop_meanwhile(*arguments: object) -> object:
        document_runs.stop(run)
        return draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(documents, "page_images", stop_meanwhile)

    answer(run)

    assert (run.state, states(run)) == ("stopped", ["done", "waiting", "waiting"])


def test_a_page_is_asked_about_once_when_two_advance(run: DocumentRun) -> None:
    end_reply(open_reply(), "words")
    page = run.pages.get(number=2)
    document_runs.advance(run.conversation_id)
    RunPage.objects.filter(pk=page.pk).update(message=None)  # what the slower one had read
    row_of(open_reply().pk).update(state="done", finish_reason="stop", ended_at=run.created_at)

    document_runs.advance(run.conversation_id)

    page.refresh_from_db()
    assert Message.objects.filter(role="user").count() == 2
    assert page.message is not None


@pytest.mark.parametrize("code", [ErrorCode.QUEUE_FULL, ErrorCode.QUOTA_EXCEEDED])
def test_what_passes_only_delays_the_next_page(
    run: DocumentRun, code: ErrorCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_user: object) -> None:
        raise ChatError(code)

    with monkeypatch.context() as patch:
        patch.setattr(turns, "admit", refuse)
        answer(run)
        assert (run.state, states(run)) == ("running", ["done", "waiting", "waiting"])

    document_runs.advance_idle()

    assert states(run) == ["done", "running", "waiting"]


def test_another_refusal_stops_the_run(run: DocumentRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_user: object) -> None:
        raise ChatError(ErrorCode.TEXT_TOO_LONG)

    monkeypatch.setattr(turns, "admit", refuse)
    answer(run)

    assert (run.state, states(run)) == ("stopped", ["done", "waiting", "waiting"])


def test_the_sweep_carries_on_what_a_lost_worker_left(run: DocumentRun) -> None:
    end_reply(open_reply(), "words")  # and its worker is gone

    document_runs.advance_idle()

    assert states(run) == ["done", "running", "waiting"]


def test_a_run_that_cannot_be_carried_on_holds_up_no_other(
    alice: User, document: Document, run: DocumentRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_reply(open_reply(), "words")
    other = document_runs.start(alice, document, [2, 1], text="")
    end_reply(open_reply(), "words")
    draw = documents.page_images

    def fail_for_second(owner: User, drawn: Document, numbers: list[int]) -> object:
        if numbers == [2]:
            raise OSError("the storage is out of reach")
        return draw(owner, drawn, numbers)

    with monkeypatch.context() as patch:
        patch.setattr(documents, "page_images", fail_for_second)
        document_runs.advance_idle()
        assert states(run) == ["done", "waiting", "waiting"]
        assert states(other) == ["running", "done"]

    document_runs.advance_idle()
    assert states(run) == ["done", "running", "waiting"]


def test_the_sweep_leaves_alone_what_is_being_answered(run: DocumentRun) -> None:
    row_of(open_reply().pk).update(**RUNNING, lease_until=run.created_at)

    document_runs.advance_idle()

    assert Message.objects.filter(role="user").count() == 1


def test_a_run_waits_while_its_person_is_not_active(alice: User, run: DocumentRun) -> None:
    end_reply(open_reply(), "words")
    alice.is_active = False
    alice.save()

    document_runs.advance_idle()
    assert states(run) == ["done", "waiting", "waiting"]


def test_a_run_waits_while_its_conversation_is_deleted(run: DocumentRun) -> None:
    end_reply(open_reply(), "words")
    deletion.discard(run.conversation)
    document_runs.advance_idle()
    before = states(run)

    deletion.restore(run.conversation.owner, run.conversation_id)
    document_runs.advance_idle()

    assert before == ["done", "waiting", "waiting"]
    assert states(run) == ["done", "running", "waiting"]


def test_without_its_document_a_run_ends_and_keeps_its_text(
    run: DocumentRun, document: Document
) -> None:
    document.delete()
    answer(run)

    assert (run.state, states(run)) == ("done", ["done", "failed", "failed"])
    run.refresh_from_db()
    with pytest.raises(ChatError, match="document_not_found"):
        document_runs.go_on(run)


def test_a_page_answered_once_more_keeps_its_text_until_there_is_another(
    alice: User, run: DocumentRun
) -> None:
    first = open_reply()
    answer(run, "one")
    end_reply(open_reply(), "two")
    document_runs.stop(run)

    again = turns.regenerate(alice, first.pk, turns.TurnOptions()).reply
    assert document_runs.pages(run)[0].text == "one"
    end_reply(again, "better")

    assert document_runs.pages(run)[0].text == "better"


def test_the_file_holds_the_pages_by_number_without_their_fences(
    alice: User, document: Document
) -> None:
    Document.objects.update(name="-->report.pdf")
    document.refresh_from_db()
    run = document_runs.start(alice, document, [3, 1, 2], text="")
    answer(run, "```markdown\n# Three\n```\n")
    answer(run, "One has\n\n```py\ncode\n```\n\nin it")
    answer(run, "", **FAILED)

    assert document_runs.as_markdown(run) == (
        "<!-- ->report.pdf, 1 -->\n\nOne has\n\n```py\ncode\n```\n\nin it\n\n"
        "<!-- ->report.pdf, 2 -->\n\n\n\n"
        "<!-- ->report.pdf, 3 -->\n\n# Three\n"
    )
