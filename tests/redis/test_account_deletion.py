"""Nothing of a deleted account is left in Redis, whatever its reply's writer still does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chat.generation import listening
from chat.generation.redis_reply_log import RedisReplyLog
from chat.generation.reply_log import StaleAttemptError
from chat.services import accounts
from tests.chat.factories import RUNNING, a_reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from chat.generation.redis_link import RedisLink

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

SECRET = "what nobody shall read again"
MINUTE_MS = 60_000


def contents(link: RedisLink) -> str:
    """Give all that the streams hold."""
    return str([link.redis.xrange(key) for key in link.redis.scan_iter()])


def test_nothing_is_left_a_minute_later(
    alice: User, link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "reply_log", RedisReplyLog(link))
    worker = RedisReplyLog(link)
    reply = a_reply(alice, **RUNNING)
    worker.start(reply.pk, 1, SECRET)
    assert SECRET in contents(link)

    accounts.delete(alice)

    with pytest.raises(StaleAttemptError):
        worker.append(reply.pk, 1, SECRET)
    assert SECRET not in contents(link)
    left_ms = [link.redis.pttl(key) for key in link.redis.scan_iter()]
    assert all(0 < each < MINUTE_MS for each in left_ms)
