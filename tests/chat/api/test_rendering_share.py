"""What is costly to render, as often as asked for, keeps nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chat.shares import rendering_shares
from tests.chat.api.conftest import body_of, browser_of, code_of
from tests.chat.factories import a_reply, end_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

    from chat.models import Reply

pytestmark = pytest.mark.django_db

COSTLY = {
    "messages": "/api/conversations/{conversation}/messages/",
    "Markdown": "/api/conversations/{conversation}/export/?format=md",
    "page": "/api/conversations/{conversation}/export/?format=html",
    "everything": "/api/conversations/{conversation}/export/?format=json",
    "blocks": "/api/replies/{reply}/blocks/",
}
SHARE_S = 5


@pytest.fixture(autouse=True)
def share(settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give everybody a share, of which nothing was taken."""
    settings.VL_PERSON_RENDER_S_PER_MINUTE = SHARE_S
    monkeypatch.setattr(rendering_shares, "_taken", {})


@pytest.fixture
def reply(alice: User) -> Reply:
    """Have an answer that takes a moment to render."""
    reply = a_reply(alice)
    end_reply(reply, "- a\n" * 2000)
    return reply


def get(user: User, path: str, reply: Reply) -> Any:
    """Fetch it."""
    conversation = reply.message.conversation_id
    return browser_of(user).get(path.format(conversation=conversation, reply=reply.pk))


@pytest.mark.parametrize("what", COSTLY)
def test_who_took_a_share_is_told_when_to_come_back(what: str, alice: User, reply: Reply) -> None:
    rendering_shares.add(alice.pk, SHARE_S)

    response = get(alice, COSTLY[what], reply)

    assert response.status_code == 429
    assert code_of(response) == "rate_limited"
    assert 50 <= int(response["Retry-After"]) <= 60


@pytest.mark.parametrize("what", sorted(set(COSTLY) - {"Markdown"}))
def test_the_time_that_it_took_is_counted(what: str, alice: User, reply: Reply) -> None:
    response = get(alice, COSTLY[what], reply)

    assert response.status_code == 200
    assert body_of(response)
    assert sum(seconds for _, seconds in rendering_shares._taken[alice.pk]) > 0
