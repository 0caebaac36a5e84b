"""Starting a turn: what is kept, what is refused, and that a refusal keeps nothing."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from chat import signals
from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, Message, Reply
from chat.protocol import Pixels, TurnOptions
from chat.services import turns
from tests.chat.factories import RUNNING, a_picture, a_reply, a_turn, end_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks, SettingsWrapper


def kept() -> tuple[int, int, int]:
    """Count conversations, messages and replies."""
    return Conversation.objects.count(), Message.objects.count(), Reply.objects.count()


def refusal(user: User, text: str = "What is this?", **question: Any) -> ErrorCode:
    """Ask what must be refused; give the code."""
    with pytest.raises(ChatError) as caught:
        a_turn(user, text, **question)
    return caught.value.code


@pytest.fixture
def doorbell() -> Iterator[list[dict[str, Any]]]:
    """Listen to `turn_started`."""
    heard: list[dict[str, Any]] = []

    def listen(**arguments: Any) -> None:
        heard.append(arguments)

    signals.turn_started.connect(listen)
    yield heard
    signals.turn_started.disconnect(listen)


def test_the_first_question_makes_a_conversation_of_the_askers(alice: User) -> None:
    turn = a_turn(alice, "How many shapes are there?")

    assert turn.is_new
    assert turn.conversation.owner == alice
    assert turn.conversation.title == "How many shapes are there?"


def test_the_reply_waits_and_shares_its_id_with_the_answer(alice: User) -> None:
    turn = a_turn(alice)

    answer = Message.objects.get(role=Message.Role.ASSISTANT)
    assert turn.reply.pk == answer.pk
    assert turn.reply.state == Reply.State.QUEUED
    assert answer.parent == turn.message


def test_the_answer_becomes_the_end_of_the_shown_branch(alice: User) -> None:
    turn = a_turn(alice)

    assert Conversation.objects.get().leaf_id == turn.reply.pk


def test_the_next_question_hangs_on_the_shown_branch(alice: User) -> None:
    first = a_turn(alice)
    end_reply(first.reply, "A circle.")

    second = a_turn(alice, "And now?", conversation_id=first.conversation.pk)

    assert second.message.parent_id == first.reply.pk


def test_a_named_parent_starts_a_sibling_branch(alice: User) -> None:
    first = a_turn(alice)
    end_reply(first.reply, "A circle.")
    second = a_turn(alice, "And now?", conversation_id=first.conversation.pk)
    end_reply(second.reply, "Still a circle.")

    sibling = a_turn(alice, "Or?", conversation_id=first.conversation.pk, parent_id=first.reply.pk)

    assert sibling.message.parent_id == second.message.parent_id == first.reply.pk


def test_pictures_keep_their_order(alice: User) -> None:
    red, blue = a_picture(alice), a_picture(alice, color=(0, 0, 255))

    turn = a_turn(alice, image_ids=[blue.pk, red.pk, blue.pk])

    assert turn.message.images_in_order() == [blue, red, blue]


def test_a_seed_is_chosen_once_for_all_attempts(alice: User) -> None:
    first, second = a_turn(alice).reply.options, a_turn(alice).reply.options

    assert 0 <= first["seed"] < 2**31
    assert first["seed"] != second["seed"]


def test_what_was_not_asked_for_comes_from_the_settings(
    alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_PIXELS, settings.VL_MAX_TOKENS = "detail", 77

    options = a_turn(alice).reply.options

    assert (options["pixels"], options["max_tokens"]) == ("detail", 77)
    assert not {"temperature", "top_p", "model"} & set(options)


def test_what_was_asked_for_is_kept(alice: User) -> None:
    asked = TurnOptions(max_tokens=5, temperature=0, seed=3, pixels=Pixels.FAST, model="x")

    options = a_turn(alice, options=asked).reply.options

    assert options == {
        "max_tokens": 5, "temperature": 0, "seed": 3, "pixels": "fast", "model": "x",
        "asked": ["max_tokens", "model", "pixels", "seed", "temperature"],
    }  # fmt: skip


def test_nobody_gets_more_tokens_than_the_limit(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_MAX_TOKENS = 10

    options = a_turn(alice, options=TurnOptions(max_tokens=11)).reply.options

    assert options["max_tokens"] == 10


def test_the_same_client_id_gives_the_same_turn(alice: User) -> None:
    client_id = uuid.uuid4()
    first = a_turn(alice, client_id=client_id)

    again = a_turn(alice, client_id=client_id)

    assert (again.message, again.reply, again.is_new) == (first.message, first.reply, False)
    assert kept() == (1, 2, 1)


def test_the_same_client_id_is_found_again_while_its_answer_is_written(alice: User) -> None:
    client_id = uuid.uuid4()
    first = a_turn(alice, client_id=client_id)

    again = a_turn(alice, client_id=client_id, conversation_id=first.conversation.pk)

    assert again.reply == first.reply


def test_a_strangers_client_id_starts_a_turn_of_ones_own(alice: User, bob: User) -> None:
    client_id = uuid.uuid4()
    hers = a_turn(alice, client_id=client_id)

    his = a_turn(bob, client_id=client_id)

    assert his.is_new
    assert his.message != hers.message


def test_the_doorbell_rings_after_the_commit(
    alice: User,
    doorbell: list[dict[str, Any]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as on_commit:
        turn = a_turn(alice)
    heard_before = list(doorbell)
    for callback in on_commit:
        callback()

    assert heard_before == []
    assert [ring["reply_id"] for ring in doorbell] == [turn.reply.pk]
    assert doorbell[0]["conversation"] == turn.conversation


def test_a_repeated_question_rings_no_second_time(
    alice: User,
    doorbell: list[dict[str, Any]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client_id = uuid.uuid4()
    with django_capture_on_commit_callbacks(execute=True):
        a_turn(alice, client_id=client_id)
        a_turn(alice, client_id=client_id)

    assert len(doorbell) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("", ErrorCode.EMPTY_TEXT, id="empty"),
        pytest.param(" \n\t ", ErrorCode.EMPTY_TEXT, id="blank"),
        pytest.param("x" * 8001, ErrorCode.TEXT_TOO_LONG, id="one too long"),
    ],
)
def test_a_text_out_of_bounds_is_refused(alice: User, text: str, code: ErrorCode) -> None:
    assert refusal(alice, text) == code
    assert kept() == (0, 0, 0)


def test_the_longest_text_is_kept_whole(alice: User) -> None:
    assert a_turn(alice, "x" * 8000).message.text == "x" * 8000


def test_one_picture_too_many_is_refused(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_IMAGES_PER_TURN = 2
    picture = a_picture(alice)

    assert a_turn(alice, image_ids=[picture.pk] * 2).is_new
    assert refusal(alice, image_ids=[picture.pk] * 3) == ErrorCode.TOO_MANY_IMAGES


def test_somebody_elses_picture_is_refused(alice: User, bob: User) -> None:
    hers = a_picture(alice)

    assert refusal(bob, image_ids=[hers.pk]) == ErrorCode.IMAGE_NOT_FOUND
    assert kept() == (0, 0, 0)


@pytest.mark.parametrize("whose", ["alice's", "nobody's"])
def test_a_conversation_that_is_not_yours_is_refused(alice: User, bob: User, whose: str) -> None:
    hers = a_turn(alice)
    asked = hers.conversation.pk if whose == "alice's" else uuid.uuid4()

    assert refusal(bob, conversation_id=asked) == ErrorCode.CONVERSATION_NOT_FOUND
    assert kept() == (1, 2, 1)


@pytest.mark.parametrize("parent", ["a question", "elsewhere", "a stranger's", "nowhere"])
def test_a_parent_that_cannot_be_answered_on_is_refused(
    alice: User, bob: User, parent: str
) -> None:
    turn, elsewhere, strangers = a_turn(alice), a_turn(alice), a_turn(bob)
    for each in (turn, elsewhere, strangers):
        end_reply(each.reply, "A circle.")
    parents = {
        "a question": turn.message.pk,
        "elsewhere": elsewhere.reply.pk,
        "a stranger's": strangers.reply.pk,
        "nowhere": uuid.uuid4(),
    }

    code = refusal(alice, conversation_id=turn.conversation.pk, parent_id=parents[parent])

    assert code == ErrorCode.MESSAGE_NOT_FOUND


def test_a_parent_without_a_conversation_is_refused(alice: User) -> None:
    turn = a_turn(alice)

    assert refusal(alice, parent_id=turn.reply.pk) == ErrorCode.MESSAGE_NOT_FOUND


@pytest.mark.parametrize(
    "state", [pytest.param({}, id="waiting"), pytest.param(RUNNING, id="being written")]
)
def test_a_second_question_while_one_is_open_is_refused(alice: User, state: dict[str, Any]) -> None:
    reply = a_reply(alice, **state)
    conversation_id = reply.message.conversation_id

    assert refusal(alice, conversation_id=conversation_id) == ErrorCode.ALREADY_RUNNING
    assert kept() == (1, 2, 1)


def test_another_conversation_may_run_at_the_same_time(alice: User) -> None:
    a_reply(alice)

    assert a_turn(alice).is_new


def test_a_full_queue_refuses_and_says_when_to_try_again(
    alice: User, bob: User, settings: SettingsWrapper
) -> None:
    settings.VL_QUEUE_REPLIES = 1
    a_reply(alice)

    with pytest.raises(ChatError) as caught:
        a_turn(bob)

    assert caught.value.code == ErrorCode.QUEUE_FULL
    assert caught.value.retry_after_s == 10
    assert kept() == (1, 2, 1)


def test_running_replies_do_not_fill_the_queue(
    alice: User, bob: User, settings: SettingsWrapper
) -> None:
    settings.VL_QUEUE_REPLIES = 1
    a_reply(alice, **RUNNING)

    assert a_turn(bob).is_new


def test_a_failure_half_way_keeps_nothing(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(**_: Any) -> None:
        raise RuntimeError("injected")

    monkeypatch.setattr(Reply.objects, "create", explode)

    with pytest.raises(RuntimeError, match="injected"):
        a_turn(alice)

    assert kept() == (0, 0, 0)


def _at_once(count: int, act: Callable[[], Any]) -> list[Any]:
    """Do the same in several threads at the same moment; give the results or the errors."""
    results: list[Any] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait(10)
        try:
            results.append(act())
        except ChatError as error:
            results.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.django_db(transaction=True)
def test_the_same_client_id_from_many_tabs_at_once_starts_one_turn(alice: User) -> None:
    client_id = uuid.uuid4()

    results = _at_once(4, lambda: a_turn(alice, client_id=client_id))

    assert len({turn.reply.pk for turn in results}) == 1
    assert kept() == (1, 2, 1)


@pytest.mark.django_db(transaction=True)
def test_two_questions_at_once_on_one_conversation_start_one_turn(alice: User) -> None:
    first = a_turn(alice)
    end_reply(first.reply, "A circle.")

    results = _at_once(3, lambda: a_turn(alice, conversation_id=first.conversation.pk).is_new)

    assert sorted(map(str, results)) == ["True", "already_running", "already_running"]


def test_a_client_id_kept_between_look_and_insert_gives_the_kept_turn(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL two connections can both look before either inserts."""
    client_id = uuid.uuid4()
    first = a_turn(alice, client_id=client_id)
    find, looks = turns._find_turn, []

    def blind_at_first(user: User, question: turns.Question) -> turns.Turn | None:
        looks.append(question)
        return None if len(looks) == 1 else find(user, question)

    monkeypatch.setattr(turns, "_find_turn", blind_at_first)

    again = a_turn(alice, client_id=client_id)

    assert (again.reply, again.is_new) == (first.reply, False)
    assert kept() == (1, 2, 1)
