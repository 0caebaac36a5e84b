"""Presets: names differ, one is the default, and there are not too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError

from chat.errors import ChatError, ErrorCode
from chat.models import Preset
from chat.services import presets
from chat.turn_options import TurnOptions
from tests.chat.factories import a_preset

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


def test_saving_under_a_name_that_is_there_replaces_it(alice: User, bob: User) -> None:
    first = a_preset(alice, "Careful", top_p=0.1)
    a_preset(bob, "Careful", top_p=0.9)

    again = a_preset(alice, "Careful", temperature=0)

    assert again.pk == first.pk
    assert Preset.objects.get(owner=alice).options == {"temperature": 0}
    assert Preset.objects.get(owner=bob).options == {"top_p": 0.9}


def test_one_more_than_the_limit_is_refused(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_PRESETS_PER_PERSON = 1
    a_preset(alice, "one")

    with pytest.raises(ChatError) as caught:
        a_preset(alice, "two")

    assert caught.value.code == ErrorCode.TOO_MANY_PRESETS
    a_preset(alice, "one", top_p=0.5)  # replacing makes none more


def test_a_name_of_another_preset_is_refused(alice: User) -> None:
    a_preset(alice, "one")
    two = a_preset(alice, "two")

    with pytest.raises(ChatError) as caught:
        presets.rename(alice, two, "one")

    assert caught.value.code == ErrorCode.PRESET_NAME_TAKEN
    presets.rename(alice, two, "two")


def test_there_is_one_default(alice: User) -> None:
    one, two = a_preset(alice, "one"), a_preset(alice, "two")
    presets.set_default(alice, one, is_default=True)

    presets.set_default(alice, two, is_default=True)

    assert list(Preset.objects.filter(is_default=True)) == [two]


def test_there_can_be_no_default(alice: User) -> None:
    one = a_preset(alice, "one")
    presets.set_default(alice, one, is_default=True)

    presets.set_default(alice, one, is_default=False)

    assert not Preset.objects.filter(is_default=True).exists()


def test_a_preset_with_too_long_a_prompt_is_refused(alice: User, settings: SettingsWrapper) -> None:
    settings.VL_SYSTEM_PROMPT_CHARS = 3

    with pytest.raises(ChatError) as caught:
        a_preset(alice, system_prompt="four")

    assert caught.value.code == ErrorCode.SYSTEM_PROMPT_TOO_LONG


def test_a_preset_keeps_its_options_when_others_are_refused(
    alice: User, settings: SettingsWrapper
) -> None:
    settings.VL_SYSTEM_PROMPT_CHARS = 3
    kept = a_preset(alice, system_prompt="yes")

    with pytest.raises(ChatError) as caught:
        presets.set_options(kept, TurnOptions(system_prompt="four"))

    kept.refresh_from_db()
    assert caught.value.code == ErrorCode.SYSTEM_PROMPT_TOO_LONG
    assert kept.options == {"system_prompt": "yes"}


def test_a_preset_that_is_gone_is_no_default(alice: User) -> None:
    preset = a_preset(alice)
    presets.set_default(alice, preset, is_default=True)

    presets.delete(preset)

    assert not Preset.objects.exists()


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        pytest.param({"name": "one", "is_default": False}, "owner_id.*name", id="the same name"),
        pytest.param({"name": "two", "is_default": True}, "owner_id", id="a second default"),
    ],
)
def test_the_database_refuses_two(alice: User, fields: dict[str, object], constraint: str) -> None:
    Preset.objects.create(owner=alice, name="one", is_default=True)

    with pytest.raises(IntegrityError, match=constraint):
        Preset.objects.create(owner=alice, **fields)
