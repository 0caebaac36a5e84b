"""Quotas: turns and tokens a day, open replies, storage; 0 is none."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone, translation

from chat.errors import ChatError, ErrorCode
from chat.generation.continuing import continue_reply
from chat.models import DailyUse, DocumentRun, Image
from chat.protocol import ContinueFrame, TurnOptions
from chat.services import conversations, document_runs, documents, images, quotas, turns
from tests.chat.conftest import connected, png
from tests.chat.decoding import pdf_corpus as corpus
from tests.chat.factories import a_picture, a_turn, end_reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

    from tests.chat.conftest import Stage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _none(settings: SettingsWrapper, tmp_path: Path) -> None:
    """Begin without quotas, and with files apart."""
    settings.MEDIA_ROOT = tmp_path
    settings.VL_PERSON_TURNS_PER_DAY = settings.VL_PERSON_TOKENS_PER_DAY = 0
    settings.VL_PERSON_OPEN_REPLIES = settings.VL_PERSON_STORAGE_BYTES = 0


def refusal(work: Callable[[], object]) -> ChatError:
    """Do what is refused; give how."""
    with pytest.raises(ChatError) as caught:
        work()
    assert caught.value.code == ErrorCode.QUOTA_EXCEEDED
    return caught.value


def use_of(user: User) -> tuple[int, int]:
    """Give the turns and tokens of today."""
    use = DailyUse.objects.filter(owner=user, day=timezone.localdate()).first()
    return (use.turns, use.tokens) if use else (0, 0)


def test_a_day_has_so_many_turns(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_TURNS_PER_DAY = 2
    a_turn(alice)
    a_turn(alice)

    error = refusal(lambda: a_turn(alice))

    assert error.retry_after_s is not None
    assert 0 < error.retry_after_s <= 24 * 3600
    assert use_of(alice) == (2, 0)


def test_each_person_has_a_day_of_their_own(
    alice: User, bob: User, settings: SettingsWrapper
) -> None:
    settings.VL_PERSON_TURNS_PER_DAY = 1
    a_turn(alice)

    a_turn(bob)


def test_a_new_day_begins_anew(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_TURNS_PER_DAY = 1
    a_turn(alice)
    DailyUse.objects.update(day=timezone.localdate() - timedelta(days=1))

    a_turn(alice)


def test_deleting_conversations_gives_nothing_back(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_TURNS_PER_DAY = 1
    conversations.delete(a_turn(alice).conversation)

    refusal(lambda: a_turn(alice))


def test_regenerating_and_going_on_are_turns(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_TURNS_PER_DAY = 1
    reply = a_turn(alice).reply
    end_reply(reply, "half", finish_reason="length")

    refusal(lambda: turns.regenerate(alice, reply.pk, TurnOptions()))
    refusal(lambda: continue_reply(alice, ContinueFrame(reply.pk)))


def test_what_is_refused_is_not_counted(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_QUEUE_REPLIES = 1
    a_turn(alice)

    with pytest.raises(ChatError, match="queue_full"):
        a_turn(alice)

    assert use_of(alice) == (1, 0)


def test_the_same_client_id_again_is_counted_once(alice: User) -> None:
    client_id = uuid.uuid4()
    a_turn(alice, client_id=client_id)
    a_turn(alice, client_id=client_id)

    assert use_of(alice)[0] == 1


def test_the_tokens_of_a_day_run_out(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_TOKENS_PER_DAY = 100
    quotas.add_tokens(alice.pk, 99)
    a_turn(alice)
    quotas.add_tokens(alice.pk, 1)

    error = refusal(lambda: a_turn(alice))

    assert error.retry_after_s is not None


def test_so_many_answers_may_be_on_their_way(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_OPEN_REPLIES = 2
    first = a_turn(alice).reply
    a_turn(alice)

    error = refusal(lambda: a_turn(alice))
    end_reply(first, "Done.")
    a_turn(alice)

    assert error.retry_after_s == quotas.OPEN_REPLIES_RETRY_S


def test_so_many_documents_may_be_read_at_once(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_RUNS = 1
    document = documents.store_upload(alice, corpus.SOUND, name="report.pdf")
    first = document_runs.start(alice, document, [1], text="")

    error = refusal(lambda: document_runs.start(alice, document, [1], text=""))
    document_runs.stop(first)
    second = document_runs.start(alice, document, [1], text="")
    refusal(lambda: document_runs.go_on(first))
    document_runs.go_on(second)  # it has its place

    assert error.retry_after_s == quotas.OPEN_REPLIES_RETRY_S
    assert DocumentRun.objects.count() == 2


def test_pictures_fill_a_persons_room(alice: User, settings: SettingsWrapper) -> None:
    held = a_picture(alice).size_bytes
    settings.VL_PERSON_STORAGE_BYTES = held

    error = refusal(lambda: images.store_upload(alice, png()))

    assert error.retry_after_s is None
    assert Image.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_picture_that_does_not_fit_leaves_nothing_behind(
    alice: User, settings: SettingsWrapper, tmp_path: Path
) -> None:
    settings.VL_PERSON_STORAGE_BYTES = 1

    refusal(lambda: images.store_upload(alice, png()))

    assert not Image.objects.exists()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.django_db(transaction=True)
def test_a_picture_that_was_uploaded_before_needs_no_room(
    alice: User, settings: SettingsWrapper
) -> None:
    first = images.store_upload(alice, png())
    settings.VL_PERSON_STORAGE_BYTES = 1

    assert images.store_upload(alice, png()) == first


def test_one_persons_pictures_take_nobody_elses_room(
    alice: User, bob: User, settings: SettingsWrapper
) -> None:
    settings.VL_PERSON_STORAGE_BYTES = a_picture(alice).size_bytes

    quotas.check_storage(bob, settings.VL_PERSON_STORAGE_BYTES)


def test_the_text_says_which_allowance_in_the_persons_language(
    alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_PERSON_OPEN_REPLIES = 1
    a_turn(alice)
    error = refusal(lambda: a_turn(alice))

    with translation.override("en"):
        english = error.content
    with translation.override("zh-hans"):
        chinese = error.content

    assert english == (
        "Your allowance is used up. "
        "1 of your answers are on their way already. Wait for one, or stop it."
    )
    assert chinese != english


@pytest.mark.django_db(transaction=True)
def test_two_turns_at_once_cannot_both_be_the_last(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_TURNS_PER_DAY = 3
    outcomes: list[str] = []

    def ask() -> None:
        try:
            a_turn(alice)
            outcomes.append("accepted")
        except ChatError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["accepted"] * 3 + ["quota_exceeded"] * 3


async def test_an_answer_counts_what_it_read_and_wrote(stage: Stage, alice: User) -> None:
    stage.answers.append("one two three")
    async with connected(alice) as socket:
        accepted = await socket.ask("What is this?")
        _, final = await socket.read_reply(accepted["reply"])

    usage = final["usage"]
    used = await sync_to_async(use_of)(alice)

    assert usage["completion_tokens"] > 0
    assert used == (1, usage["prompt_tokens"] + usage["completion_tokens"])
