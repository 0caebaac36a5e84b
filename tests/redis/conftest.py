"""The Redis server that these tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chat.generation.redis_link import RedisLink
from tests.redis.server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Start one server for all; who stops it, starts it again."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Name an empty database of the test's own."""
    return redis_server.new_url()


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    """Link to that database; a failure is followed by no rest."""
    link = RedisLink(redis_url, rest_s=0.0)
    yield link
    link.redis.close()
