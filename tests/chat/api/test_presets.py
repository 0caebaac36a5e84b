"""Presets over HTTP, and the options of a conversation."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chat.models import Conversation, Preset
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.factories import a_preset, a_turn

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

JSON = "application/json"


def save(user: User | None, **wanted: Any) -> Any:
    return browser_of(user).post("/api/presets/", json.dumps(wanted), content_type=JSON)


def change(user: User | None, preset_id: object, **wanted: Any) -> Any:
    client = browser_of(user)
    return client.patch(f"/api/presets/{preset_id}/", json.dumps(wanted), content_type=JSON)


def names(user: User) -> list[str]:
    return [item["name"] for item in browser_of(user).get("/api/presets/").json()["items"]]


def test_a_preset_is_kept_and_listed_by_name(alice: User, bob: User) -> None:
    a_preset(alice, "Zealous")
    response = save(alice, name=" Be  brief ", options={"top_p": 0.5, "seed": None, "more": 1})

    preset = Preset.objects.get(name="Be brief")
    assert response.status_code == 201
    assert response.json() == {
        "id": str(preset.pk), "name": "Be brief", "options": {"top_p": 0.5}, "is_default": False,
    }  # fmt: skip
    assert names(alice) == ["Be brief", "Zealous"]
    assert names(bob) == []


def test_a_preset_is_changed(alice: User) -> None:
    preset = a_preset(alice, "one", top_p=0.5)

    response = change(alice, preset.pk, name="two", options={"seed": 3}, is_default=True)

    assert response.status_code == 200
    preset.refresh_from_db()
    assert (preset.name, preset.options, preset.is_default) == ("two", {"seed": 3}, True)


def test_what_is_refused_changes_nothing_else(alice: User) -> None:
    preset = a_preset(alice, "one", top_p=0.5)

    assert code_of(change(alice, preset.pk, name="two", options={"seed": -1})) == "bad_frame"

    preset.refresh_from_db()
    assert (preset.name, preset.options) == ("one", {"top_p": 0.5})


def test_a_preset_is_deleted(alice: User) -> None:
    preset = a_preset(alice)

    response = browser_of(alice).delete(f"/api/presets/{preset.pk}/")

    assert response.status_code == 204
    assert names(alice) == []


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_strangers_preset_is_a_missing_one(alice: User, bob: User, method: str) -> None:
    preset = a_preset(alice)
    call = getattr(browser_of(bob), method)

    answers = [call(f"/api/presets/{found}/", "{}", JSON) for found in (preset.pk, uuid.uuid4())]

    assert [(each.status_code, code_of(each)) for each in answers] == [
        (404, "preset_not_found")
    ] * 2
    assert Preset.objects.count() == 1


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"name": " ", "options": {}}, id="no name"),
        pytest.param({"name": "x" * 61, "options": {}}, id="a long name"),
        pytest.param({"name": "\x00", "options": {}}, id="no text"),
        pytest.param({"name": "x"}, id="no options"),
        pytest.param({"name": "x", "options": []}, id="a list"),
        pytest.param({"name": "x", "options": {"temperature": 3}}, id="too hot"),
        pytest.param({"name": "x", "options": {"system_prompt": 1}}, id="no prompt"),
        pytest.param({"name": "x", "options": {}, "owner": 1}, id="more than is known"),
    ],
)
def test_a_preset_of_another_shape_is_refused(alice: User, wanted: dict[str, Any]) -> None:
    assert code_of(save(alice, **wanted)) == "bad_frame"
    assert not Preset.objects.exists()


def test_nobody_is_told_to_sign_in(db: None) -> None:
    answers = [
        browser_of(None).get("/api/presets/"),
        save(None, name="x", options={}),
        change(None, uuid.uuid4()),
        browser_of(None).delete(f"/api/presets/{uuid.uuid4()}/"),
    ]

    assert [code_of(each) for each in answers] == ["unauthenticated"] * 4


# Of a conversation --------------------------------------------------------------------------


def choose(user: User, conversation: Conversation, **wanted: Any) -> Any:
    return browser_of(user).patch(
        f"/api/conversations/{conversation.pk}/", json.dumps(wanted), content_type=JSON
    )


def test_a_conversation_keeps_its_options_and_shows_them(alice: User) -> None:
    conversation = a_turn(alice).conversation
    chosen = {"temperature": 0.1, "system_prompt": "Sei kurz.", "pixels": "detail"}

    response = choose(alice, conversation, options=chosen)

    assert (response.status_code, response.json()["options"]) == (200, chosen)
    card = browser_of(alice).get(f"/api/conversations/{conversation.pk}/").json()
    assert card["options"] == chosen


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"top_p": 2}, id="out of range"),
        pytest.param({"max_tokens": True}, id="of another kind"),
        pytest.param({"system_prompt": "\ud800"}, id="no text"),
    ],
)
def test_options_of_another_shape_change_nothing(alice: User, wanted: dict[str, Any]) -> None:
    conversation = a_turn(alice).conversation

    assert code_of(choose(alice, conversation, title="New", options=wanted)) == "bad_frame"

    conversation.refresh_from_db()
    assert (conversation.title, conversation.options) == ("What is this?", {})


def test_too_long_a_prompt_is_refused(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_SYSTEM_PROMPT_CHARS = 3
    conversation = a_turn(alice).conversation

    response = choose(alice, conversation, options={"system_prompt": "four"})

    assert code_of(response) == "system_prompt_too_long"
    assert "3" in response.json()["error"]["message"]


def test_a_first_turn_over_http_says_what_the_conversation_keeps(alice: User) -> None:
    body = {"text": "What?", "conversation_options": {"top_p": 0.4}}

    response = browser_of(alice).post("/api/conversations/", json.dumps(body), content_type=JSON)

    assert response.status_code == 202
    assert Conversation.objects.get().options == {"top_p": 0.4}
