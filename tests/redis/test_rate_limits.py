"""Limits that instances share: exact together, and what happens while Redis is away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from allauth.core.internal import ratelimit
from django.core.cache import caches
from django.test import RequestFactory
from django.urls import reverse
from redis import Redis

from chat.errors import ChatError
from chat.rate_limits import TURNS, Caller, RateLimits
from tests.conftest import PASSWORD
from vlsite import limit_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from tests.redis.server import RedisServer

pytestmark = pytest.mark.redis

ALICE = Caller(1, "203.0.113.9")
LIMIT = 25


@pytest.fixture(autouse=True)
def _limit(settings: SettingsWrapper) -> None:
    settings.VL_PERSON_TURNS_PER_MINUTE, settings.VL_ADDRESS_TURNS_PER_MINUTE = LIMIT, 0


def passes(limits: RateLimits) -> bool:
    """Spend one turn of alice's; say whether it was allowed."""
    try:
        limits.spend(TURNS, ALICE)
    except ChatError:
        return False
    return True


def test_two_instances_count_as_one(redis_url: str) -> None:
    instances = [RateLimits(redis_url), RateLimits(redis_url)]

    with ThreadPoolExecutor(8) as threads:
        passed = list(threads.map(lambda n: passes(instances[n % 2]), range(4 * LIMIT)))

    assert LIMIT - 1 <= sum(passed) <= LIMIT + 1


def test_of_a_person_who_is_gone_nothing_is_left(redis_url: str) -> None:
    limits = RateLimits(redis_url)
    passes(limits)
    with Redis.from_url(redis_url) as client:
        counted = client.keys("*")

        limits.forget(ALICE.person_id)

        assert counted
        assert client.keys("*") == []


def test_while_redis_is_away_nothing_is_said_of_who_is_gone(redis_server: RedisServer) -> None:
    limits = RateLimits(redis_server.new_url())
    redis_server.stop()
    try:
        limits.forget(ALICE.person_id)
    finally:
        redis_server.start()


def test_while_redis_is_away_each_instance_counts_alone(redis_server: RedisServer) -> None:
    limits = RateLimits(redis_server.new_url())
    redis_server.stop()
    try:
        passed = [passes(limits) for _ in range(2 * LIMIT)]
    finally:
        redis_server.start()

    assert sum(passed) == LIMIT


def test_when_redis_is_back_it_counts_again(redis_server: RedisServer) -> None:
    now = [0.0]
    limits = RateLimits(redis_server.new_url(), clock=lambda: now[0])
    redis_server.stop()
    try:
        assert passes(limits)
    finally:
        redis_server.start()
    now[0] += 60

    passed = [passes(limits) for _ in range(2 * LIMIT)]

    assert sum(passed) == LIMIT  # the one that was counted here does not count there


# Signing in: allauth's limits, in the cache ---------------------------------------------------


@pytest.fixture
def _shared_cache(settings: SettingsWrapper, redis_url: str) -> Iterator[None]:
    settings.ACCOUNT_RATE_LIMITS = limit_settings.ACCOUNT_RATE_LIMITS
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
    }
    yield
    caches.close_all()


def sign_in(client: Client, password: str) -> int:
    """Try to sign alice in; give the status."""
    form = {"login": "alice", "password": password}
    return client.post(reverse("account_login"), form, REMOTE_ADDR="203.0.113.9").status_code


@pytest.mark.django_db
@pytest.mark.usefixtures("_shared_cache")
def test_while_redis_is_away_nobody_signs_in(
    client: Client, alice: User, redis_server: RedisServer
) -> None:
    redis_server.stop()
    try:
        answer = client.post(reverse("account_login"), {"login": "alice", "password": PASSWORD})
    finally:
        redis_server.start()

    assert answer.status_code == 503
    assert answer["Retry-After"] == "10"
    assert "_auth_user_id" not in client.session
    assert "Try again in a moment" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("_shared_cache")
def test_failures_of_one_account_are_counted_over_all_instances(
    client: Client, alice: User, settings: SettingsWrapper
) -> None:
    """Both processes look into the same cache: which one was asked makes no difference."""
    for _ in range(5):
        sign_in(client, "wrong")
    caches.close_all()  # as another process: nothing but Redis remembers

    sign_in(client, PASSWORD)

    assert "_auth_user_id" not in client.session


@pytest.mark.usefixtures("_shared_cache")
def test_sign_ins_of_an_address_are_counted_exactly() -> None:
    """The counter is allauth's; two threads with connections of their own ask it."""

    def attempt(_: int) -> bool:
        request = RequestFactory().post("/accounts/login/", REMOTE_ADDR="203.0.113.9")
        usage = ratelimit.consume(
            request, app="allauth.account", action="login", config={"login": f"{LIMIT}/m/ip"}
        )
        return usage is not None

    with ThreadPoolExecutor(2) as threads:
        passed = list(threads.map(attempt, range(2 * LIMIT)))

    assert LIMIT - 1 <= sum(passed) <= LIMIT + 1
