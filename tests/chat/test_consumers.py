"""The socket: each frame works, and each way of misusing it earns its error."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import OperationalError

from chat import followed_replies, session_watch
from chat.models import Conversation, Image, Message, Reply
from chat.reply_cursor import ReplyCursor
from chat.services import conversations
from inference.requests import Stage as InferenceStage
from tests.chat.conftest import DEADLINE_S, connected, end_sessions, png
from vlsite.asgi import application

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tests.chat.conftest import Socket, Stage

pytestmark = pytest.mark.django_db(transaction=True)

DATA_URL = "data:image/png;base64," + base64.b64encode(png()).decode()

CLIENT_ID = str(uuid.uuid4())


@sync_to_async
def stored() -> dict[str, int]:
    """Count what the database holds."""
    return {
        model.__name__: model.objects.count() for model in (Conversation, Message, Reply, Image)
    }


NOTHING = {"Conversation": 0, "Message": 0, "Reply": 0, "Image": 0}


async def test_info_comes_first_and_says_who_answers(stage: Stage, alice: User) -> None:
    async with connected(alice, wait=False) as socket:
        info = await socket.receive()

    assert info["type"] == "info"
    assert info["protocol"] == 1
    assert info["model"] == "scripted"
    assert info["demo"] is False
    assert info["limits"]["upload_bytes"] > 0
    assert info["limits"]["context_tokens"] == stage.runner.service.context_tokens


async def test_the_minimal_client_sends_one_frame_and_reads_the_answer(
    stage: Stage, alice: User
) -> None:
    async with connected(alice) as socket:
        accepted = await socket.ask("What is this?", image=DATA_URL)
        text, final = await socket.read_reply(accepted["reply"])

    assert "with 1 pictures (40x30)" in final["content"]
    assert text in ("", final["content"])  # written before anybody followed it, or told in pieces
    assert final["sha256"] == hashlib.sha256(final["content"].encode()).hexdigest()
    assert final["finish_reason"] == "stop"
    assert final["usage"]["image_tokens"] > 0
    assert final["html"].startswith("<p")


async def test_final_is_what_the_database_holds(stage: Stage, alice: User) -> None:
    async with connected(alice) as socket:
        accepted = await socket.ask("What is this?")
        _, final = await socket.read_reply(accepted["reply"])

    reply = await Reply.objects.aget(pk=accepted["reply"])
    assert (reply.text, reply.state) == (final["content"], Reply.State.DONE)


async def test_a_second_turn_knows_the_first(stage: Stage, alice: User) -> None:
    async with connected(alice) as socket:
        first = await socket.ask("First question", image=DATA_URL)
        await socket.read_reply(first["reply"])
        second = await socket.ask("And then?", conversation=first["conversation"])
        _, final = await socket.read_reply(second["reply"])

    assert "turn 2 with 1 pictures" in final["content"]
    assert "You asked first: 'First question'" in final["content"]


async def test_another_answer_and_another_question_are_written_in_place_of_the_first(
    stage: Stage, alice: User
) -> None:
    async with connected(alice) as socket:
        asked = await socket.ask("First question", image=DATA_URL)
        await socket.read_reply(asked["reply"])
        await socket.send(type="regenerate", reply=asked["reply"])
        again = await socket.until("accepted")
        _, repeated = await socket.read_reply(again["reply"])
        await socket.send(type="edit", message=asked["message"], text="Another", id=CLIENT_ID)
        edited = await socket.until("accepted")
        _, final = await socket.read_reply(edited["reply"])

    assert again["message"] == asked["message"]
    assert "turn 1 with 1 pictures" in repeated["content"]
    assert (edited["conversation"], edited["id"]) == (asked["conversation"], CLIENT_ID)
    assert "turn 1 with 1 pictures" in final["content"]
    assert "Another" in final["content"]
    assert "First question" not in final["content"]


async def test_a_stopped_answer_is_gone_on_with(stage: Stage, alice: User) -> None:
    stage.gate.close()
    async with connected(alice) as socket:
        asked = await socket.ask("What is this?")
        stage.gate.allow(InferenceStage.PREFILL, 2)
        stage.gate.allow(InferenceStage.DECODE, 3)
        shown = (await socket.until("partial"))["content"]
        await socket.send(type="stop", reply=asked["reply"], seen=len(shown))
        _, cut = await socket.read_reply(asked["reply"], shown)
        stage.gate.open()
        await socket.send(type="continue", reply=asked["reply"])
        accepted = await socket.until("accepted")
        _, final = await socket.read_reply(asked["reply"])

    assert (cut["content"], cut["finish_reason"]) == (shown, "stopped")
    assert accepted == {**asked, "type": "accepted"} | {"reply": asked["reply"]}
    assert final["content"].startswith(shown)
    assert final["finish_reason"] == "stop"


async def test_the_title_comes_from_the_first_question(stage: Stage, alice: User) -> None:
    async with connected(alice) as socket:
        accepted = await socket.ask("How many shapes are there?")

    assert accepted["title"] == "How many shapes are there?"


async def test_the_same_id_twice_starts_one_turn(stage: Stage, alice: User) -> None:
    client_id = str(uuid.uuid4())
    async with connected(alice) as socket:
        first = await socket.ask("What is this?", id=client_id)
        second = await socket.ask("What is this?", id=client_id)

    assert first == second
    assert first["id"] == client_id
    assert (await stored())["Reply"] == 1


async def test_two_people_at_once_do_not_see_each_other(
    stage: Stage, alice: User, bob: User
) -> None:
    stage.gate.close()
    async with connected(alice) as hers, connected(bob) as his:
        asked = await hers.ask("alice asks")
        also_asked = await his.ask("bob asks")
        stage.gate.open()
        _, hers_at_last = await hers.read_reply(asked["reply"])
        _, his_at_last = await his.read_reply(also_asked["reply"])

        assert await _hears_nothing_of(hers, also_asked["reply"])
    assert "alice asks" in hers_at_last["content"]
    assert "bob asks" not in hers_at_last["content"]
    assert "bob asks" in his_at_last["content"]


async def test_a_waiting_reply_knows_its_place(stage: Stage, alice: User, bob: User) -> None:
    stage.gate.close()
    async with connected(alice) as hers, connected(bob) as his:
        await hers.ask("first")
        stage.gate.wait_until_blocked(InferenceStage.PREFILL, DEADLINE_S)
        waiting = await his.ask("second")
        status = await his.until("status")
        stage.gate.open()
        await his.read_reply(waiting["reply"])

    assert (status["stage"], status["position"]) == ("queued", 1)


async def test_stages_are_told_before_the_text(stage: Stage, alice: User) -> None:
    stage.gate.close()
    async with connected(alice) as socket:
        await socket.ask("What is this?", image=DATA_URL)
        stage.gate.allow(InferenceStage.VISION)
        status = await socket.until("status")
        while status["stage"] == "queued":
            status = await socket.until("status")

    assert status["stage"] == "vision"
    assert (status["done"], status["total"]) == (1, 2)


async def test_a_reply_goes_on_when_the_tab_closes(stage: Stage, alice: User) -> None:
    stage.gate.close()
    async with connected(alice) as socket:
        accepted = await socket.ask("What is this?")
    stage.gate.open()
    async with connected(alice) as socket:
        await socket.send(type="resume", reply=accepted["reply"], offset=0)
        text, final = await socket.read_reply(accepted["reply"])

    assert final["content"].endswith(text)
    assert final["finish_reason"] == "stop"


async def test_resume_sends_what_comes_after_the_offset(stage: Stage, alice: User) -> None:
    stage.gate.close()
    stage.answers.append("one two three four ")
    async with connected(alice) as socket:
        accepted = await socket.ask("Count")
        stage.gate.allow(InferenceStage.PREFILL, 2)
        stage.gate.allow(InferenceStage.DECODE, 2)
        seen = ""
        while len(seen) < len("one two "):
            seen += (await socket.until("partial"))["content"]
    async with connected(alice) as socket:
        await socket.send(type="resume", reply=accepted["reply"], offset=4)
        partial = await socket.until("partial")
        stage.gate.open()
        text, final = await socket.read_reply(accepted["reply"], "one " + partial["content"])

    assert (partial["offset"], partial["content"]) == (4, "two ")
    assert text == final["content"] == "one two three four "


async def test_resume_of_an_ended_reply_gives_its_final(stage: Stage, alice: User) -> None:
    async with connected(alice) as socket:
        accepted = await socket.ask("What is this?")
        _, final = await socket.read_reply(accepted["reply"])
    async with connected(alice) as socket:
        await socket.send(type="resume", reply=accepted["reply"], offset=0)
        again = await socket.until("final", "error", "partial")

    assert again == final


async def test_open_shows_what_is_being_written(stage: Stage, alice: User) -> None:
    stage.gate.close()
    async with connected(alice) as first, connected(alice) as second:
        accepted = await first.ask("What is this?")
        await second.send(type="open", conversation=accepted["conversation"])
        card = await second.until("conversation")
        await second.send(type="ping")
        await second.until("pong")
        stage.gate.open()
        text, final = await second.read_reply(accepted["reply"])

    assert card["conversation"] == accepted["conversation"]
    assert text == final["content"]


async def test_close_ends_the_live_text_of_a_conversation(stage: Stage, alice: User) -> None:
    stage.gate.close()
    async with connected(alice) as socket, connected(alice) as witness:
        accepted = await socket.ask("What is this?")
        await socket.send(type="close", conversation=accepted["conversation"])
        await witness.send(type="resume", reply=accepted["reply"], offset=0)
        stage.gate.open()
        await witness.read_reply(accepted["reply"])

        assert await _hears_nothing_of(socket, accepted["reply"])


async def test_another_tab_gets_the_card_of_a_new_turn(stage: Stage, alice: User) -> None:
    async with connected(alice) as first, connected(alice) as second:
        accepted = await first.ask("What is this?")
        card = await second.until("conversation")

    assert card["conversation"] == accepted["conversation"]
    assert (card["message"], card["reply"]) == (accepted["message"], accepted["reply"])


async def test_a_lost_relay_message_costs_no_text(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chat.generation import news

    heard: list[int] = []
    text_added = news.text_added

    def lossy(reply_id: uuid.UUID, *, offset: int, text: str) -> None:
        heard.append(offset)
        if len(heard) % 2:
            text_added(reply_id, offset=offset, text=text)

    monkeypatch.setattr(news, "text_added", lossy)
    stage.gate.close()
    stage.answers.append("one two three four five six ")
    async with connected(alice) as socket:
        accepted = await socket.ask("Count")
        stage.gate.allow(InferenceStage.PREFILL, 2)
        text = ""
        for _ in range(5):
            stage.gate.allow(InferenceStage.DECODE)
            partial = await socket.until("partial")
            assert partial["offset"] == len(text)
            text += partial["content"]
        stage.gate.open()
        text, final = await socket.read_reply(accepted["reply"], text)

    assert final["content"] == text == "one two three four five six "
    assert len(heard) == 6


async def test_a_database_away_at_a_regular_look_costs_no_text(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chat.generation import news

    looks: list[uuid.UUID] = []
    read = ReplyCursor.read

    async def fail_twice(cursor: ReplyCursor, **options: bool) -> Any:
        looks.append(cursor.reply_id)
        if 1 < len(looks) < 4:  # the first one is the follower's own
            raise OperationalError("injected")
        return await read(cursor, **options)

    monkeypatch.setattr(ReplyCursor, "read", fail_twice)
    monkeypatch.setattr(news, "text_added", lambda *_, **__: None)  # so looking is the only way
    monkeypatch.setattr(followed_replies, "CATCH_UP_S", 0.02)
    stage.gate.close()
    stage.answers.append("one two ")
    async with connected(alice) as socket:
        accepted = await socket.ask("Count")
        stage.gate.allow(InferenceStage.PREFILL, 2)
        stage.gate.allow(InferenceStage.DECODE)
        partial = await socket.until("partial")
        stage.gate.open()
        _, final = await socket.read_reply(accepted["reply"], partial["content"])

    assert partial["content"] == "one "
    assert final["content"] == "one two "
    assert len(looks) > 4


async def test_stop_ends_a_running_reply_within_a_token(stage: Stage, alice: User) -> None:
    stage.gate.close()
    stage.answers.append("one two three four ")
    async with connected(alice) as socket:
        accepted = await socket.ask("Count")
        stage.gate.allow(InferenceStage.PREFILL, 2)
        stage.gate.allow(InferenceStage.DECODE, 2)
        await sync_to_async(stage.gate.wait_until_blocked)(InferenceStage.DECODE, DEADLINE_S)
        await socket.send(type="stop", reply=accepted["reply"])
        final = await socket.until("final")

    assert final["finish_reason"] == "stopped"
    assert "one two three four".startswith(final["content"].strip())


async def test_stop_keeps_the_text_that_was_seen(stage: Stage, alice: User) -> None:
    stage.gate.close()
    stage.answers.append("one two three four ")
    async with connected(alice) as socket:
        accepted = await socket.ask("Count")
        stage.gate.allow(InferenceStage.PREFILL, 2)
        stage.gate.allow(InferenceStage.DECODE, 3)
        text = ""
        while text != "one two three ":
            text += (await socket.until("partial"))["content"]
        await socket.send(type="stop", reply=accepted["reply"], seen=4)
        final = await socket.until("final")

    assert final["content"] == "one "


async def test_stop_ends_a_waiting_reply_at_once(stage: Stage, alice: User, bob: User) -> None:
    stage.gate.close()
    async with connected(alice) as hers, connected(bob) as his:
        await hers.ask("first")
        waiting = await his.ask("second")
        await his.send(type="stop", reply=waiting["reply"])
        final = await his.until("final")

    assert (final["finish_reason"], final["content"]) == ("stopped", "")


async def test_stop_twice_ends_once(stage: Stage, alice: User) -> None:
    stage.gate.close()
    async with connected(alice) as socket:
        accepted = await socket.ask("What is this?")
        await socket.send(type="stop", reply=accepted["reply"])
        await socket.send(type="stop", reply=accepted["reply"])
        await socket.until("final")
        await socket.send(type="ping", t="still here")
        frame = await socket.until("final", "pong", "error")

    assert frame == {"type": "pong", "t": "still here"}


async def test_a_question_while_an_answer_is_written_is_refused(stage: Stage, alice: User) -> None:
    stage.gate.close()
    async with connected(alice) as socket:
        accepted = await socket.ask("first")
        refused = await socket.ask("second", conversation=accepted["conversation"])

    assert refused["code"] == "already_running"


async def test_a_failing_model_ends_the_turn_with_an_error(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError("injected")

    monkeypatch.setattr(stage.runner.service, "submit", explode)
    async with connected(alice) as socket:
        accepted = await socket.ask("What is this?")
        error = await socket.until("error")

    assert (error["code"], error["reply"]) == ("generation_failed", accepted["reply"])
    reply = await Reply.objects.aget(pk=accepted["reply"])
    assert reply.state == Reply.State.FAILED


async def test_deleting_a_conversation_ends_its_reply(stage: Stage, alice: User) -> None:
    stage.gate.close()
    async with connected(alice) as socket:
        accepted = await socket.ask("What is this?")
        conversation = await Conversation.objects.aget(pk=accepted["conversation"])
        await sync_to_async(conversations.delete)(conversation)
        error = await socket.until("error")

    assert (error["code"], error["reply"]) == ("message_not_found", accepted["reply"])
    assert (await stored())["Message"] == 0


# Strangers ---------------------------------------------------------------------------------


async def test_a_stranger_is_told_and_closed(stage: Stage) -> None:
    async with connected(None) as socket:
        error = await socket.receive()
        code = await socket.close_code()

    assert error["code"] == "unauthenticated"
    assert code == 4401


async def test_another_sites_page_is_refused() -> None:
    headers = [(b"origin", b"https://evil.example")]
    communicator = WebsocketCommunicator(application, "/ws/chat/", headers=headers)

    is_accepted, _ = await communicator.connect()

    assert not is_accepted


async def test_the_path_works_without_its_slash(stage: Stage, alice: User) -> None:
    async with connected(alice, path="/ws/chat", wait=False) as socket:
        assert (await socket.receive())["type"] == "info"


async def test_ending_a_session_closes_its_socket(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_watch, "WATCH_S", 0.05)
    async with connected(alice) as socket:
        await sync_to_async(end_sessions)()
        error = await socket.until("error")
        code = await socket.close_code()

    assert (error["code"], code) == ("unauthenticated", 4401)


async def test_deactivating_a_person_closes_their_socket(
    stage: Stage, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_watch, "WATCH_S", 0.05)
    async with connected(alice) as socket:
        alice.is_active = False
        await alice.asave()

        assert await socket.close_code() == 4401


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param("stop", "message_not_found", id="stop"),
        pytest.param("resume", "message_not_found", id="resume"),
        pytest.param("open", "conversation_not_found", id="open"),
        pytest.param("message", "conversation_not_found", id="message"),
    ],
)
@pytest.mark.parametrize("whose", ["somebody else's", "nobody's"])
async def test_what_is_not_yours_looks_missing(
    stage: Stage, alice: User, bob: User, frame: str, code: str, whose: str
) -> None:
    stage.gate.close()
    async with connected(alice) as hers, connected(bob) as his:
        ids = await hers.ask("What is this?")
        if whose == "nobody's":
            ids = {"conversation": uuid.uuid4(), "reply": uuid.uuid4()}
        await his.send(type=frame, text="Hi", reply=ids["reply"], conversation=ids["conversation"])
        error = await his.until("error")
        state = await Reply.objects.values_list("is_cancel_requested", flat=True).aget()

    assert error["code"] == code
    assert not state


async def test_somebody_elses_picture_looks_missing(stage: Stage, alice: User, bob: User) -> None:
    async with connected(alice) as hers, connected(bob) as his:
        await hers.ask("Mine", image=DATA_URL)
        picture = await Image.objects.aget()
        error = await his.ask("Whose?", images=[str(picture.pk)])

    assert error["code"] == "image_not_found"


# Bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("{", "bad_frame", id="broken JSON"),
        pytest.param("[]", "bad_frame", id="not an object"),
        pytest.param("[" * 100_000, "bad_frame", id="deep nesting"),
        pytest.param('{"type":"message","text":NaN}', "bad_frame", id="NaN"),
        pytest.param("{}", "unknown_type", id="no type"),
        pytest.param('{"type":"receive"}', "unknown_type", id="a method's name"),
        pytest.param('{"type":["stop"]}', "unknown_type", id="type is a list"),
        pytest.param('{"type":"stop"}', "bad_frame", id="stop without a reply"),
        pytest.param('{"type":"stop","reply":"x"}', "bad_frame", id="reply is no UUID"),
        pytest.param('{"type":"message","text":7}', "bad_frame", id="text is a number"),
        pytest.param('{"type":"message","text":"a\\u0000"}', "bad_frame", id="NUL"),
        pytest.param('{"type":"message","text":"\\ud800"}', "bad_frame", id="lone surrogate"),
        pytest.param('{"type":"message","text":"a","images":"x"}', "bad_frame", id="images"),
        pytest.param(
            '{"type":"message","text":"a","options":{"temperature":9}}', "bad_frame", id="too hot"
        ),
        pytest.param(
            '{"type":"message","text":"a","options":{"pixels":"all"}}', "bad_frame", id="pixels"
        ),
        pytest.param('{"type":"message","text":""}', "empty_text", id="empty"),
        pytest.param('{"type":"message","text":" \\n\\t"}', "empty_text", id="blank"),
        pytest.param(
            json.dumps({"type": "message", "text": "x" * 10_000}), "text_too_long", id="10,000"
        ),
        pytest.param(
            json.dumps({"type": "message", "text": "a", "images": [str(uuid.uuid4())] * 9}),
            "too_many_images",
            id="nine pictures",
        ),
        pytest.param(
            '{"type":"message","text":"a","images":["no id"]}', "image_not_found", id="no id"
        ),
        pytest.param(
            '{"type":"message","text":"a","image":"data:image/png;base64,AAAA"}',
            "image_type_unsupported",
            id="no picture",
        ),
    ],
)
async def test_a_bad_frame_earns_its_error_and_the_socket_lives(
    stage: Stage, alice: User, text: str, code: str
) -> None:
    async with connected(alice) as socket:
        await socket.communicator.send_to(text_data=text)
        error = await socket.until("error")
        await socket.send(type="ping", t=1)
        pong = await socket.until("pong")

    assert error["code"] == code
    assert error["content"]
    assert pong["t"] == 1
    assert await stored() == NOTHING


async def test_a_binary_frame_earns_an_error_and_the_socket_lives(
    stage: Stage, alice: User
) -> None:
    async with connected(alice) as socket:
        await socket.communicator.send_to(bytes_data=b"\x00\xff")
        error = await socket.until("error")
        await socket.send(type="ping")
        await socket.until("pong")

    assert error["code"] == "bad_frame"


async def test_a_huge_frame_is_closed_with_1009(stage: Stage, alice: User) -> None:
    async with connected(alice) as socket:
        await socket.send(type="message", text="x" * 2 * 1024 * 1024)

        assert await socket.close_code() == 1009


async def test_an_error_carries_the_clients_id(stage: Stage, alice: User) -> None:
    client_id = str(uuid.uuid4())
    async with connected(alice) as socket:
        error = await socket.ask("", id=client_id)

    assert error["id"] == client_id


async def test_errors_speak_the_persons_language(stage: Stage, alice: User) -> None:
    async with connected(alice, language="zh-hans") as socket:
        error = await socket.ask("")

    assert error["content"] == "请先输入问题。"


async def _hears_nothing_of(socket: Socket, reply_id: str) -> bool:
    """Say whether no text of this reply waits here; others have read it to its end by now."""
    await socket.send(type="ping", t="end")
    while True:
        frame = await socket.receive()
        if frame.get("reply") == reply_id and frame["type"] in ("partial", "final"):
            return False
        if frame["type"] == "pong":
            return True
