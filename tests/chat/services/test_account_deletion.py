"""An account that is deleted in the middle of a reply leaves nothing behind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from chat.generation.reply_log import reply_log
from chat.models import ApiKey, Feedback
from chat.services import accounts, api_keys, feedback, preferences
from inference.requests import Stage as InferenceStage
from tests.chat.factories import a_picture, a_turn, row_of
from tests.conftest import PASSWORD

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

    from tests.chat.conftest import Stage

DEADLINE_S = 20
OF_THE_INSTALLATION = {"ContentType", "Permission", "Migration"}


def rows() -> dict[str, int]:
    """Count what is in the tables, but for what every installation has."""
    models = [model for model in apps.get_models() if model.__name__ not in OF_THE_INSTALLATION]
    counts = {model.__name__: model._base_manager.count() for model in models}
    return {name: count for name, count in counts.items() if count}


def test_nothing_is_left(
    stage: Stage, alice: User, settings: SettingsWrapper, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    Client().post(reverse("account_login"), {"login": "alice", "password": PASSWORD})
    api_keys.issue(alice, name="script", scope=ApiKey.Scope.READ, days=None)
    preferences.choose_language(alice, "zh-hans")
    earlier = a_turn(alice, image_ids=[a_picture(alice).pk])
    _wait_until(lambda: row_of(earlier.reply.pk).filter(state="done").exists())
    feedback.give(earlier.reply, Feedback.Value.GOOD, "Thank you")
    stage.gate.close()
    stage.gate.allow(InferenceStage.VISION, 9)
    stage.gate.allow(InferenceStage.PREFILL, 2)
    stage.gate.allow(InferenceStage.DECODE, 3)
    running = a_turn(alice, "And now?", image_ids=[a_picture(alice, color=(0, 0, 0)).pk])
    _wait_until(lambda: bool(_text_so_far(running.reply.pk)))

    accounts.delete(alice)

    assert ContentType.objects.exists()
    assert rows() == {}
    assert list(tmp_path.rglob("*/*")) == []
    # The gate is still shut: what was being written stops without it.
    _wait_until(lambda: stage.runner.being_written() == [])
    assert reply_log.read(running.reply.pk, 0) is None
    assert rows() == {}


def _text_so_far(reply_id: uuid.UUID) -> str:
    view = reply_log.read(reply_id, 0)
    return view.text if view else ""


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # another thread's work has no event to wait for
