"""The channel layer: its sockets outlive a Redis that goes away, restarts or forgets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from vlsite import channel_layer
from vlsite.channel_layer import PatientRedisChannelLayer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.redis.server import RedisServer

pytestmark = pytest.mark.redis

DEADLINE_S = 20.0
EVENT = {"type": "event"}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_layer, "RETRY_S", 0.05)
    monkeypatch.setattr(channel_layer, "LOOK_S", 0.05)


@pytest.fixture
async def layer(redis_url: str) -> AsyncIterator[PatientRedisChannelLayer]:
    """Make a layer with one channel's memory, and leave no connection behind."""
    layer = PatientRedisChannelLayer(hosts=[redis_url], prefix="test")
    yield layer
    for group, channel in list(layer._members):
        await layer.group_discard(group, channel)
    await layer.close_pools()


async def receive_of_group(layer: PatientRedisChannelLayer, channel: str) -> None:
    """Send to the group until the channel hears it, as news follow each other."""
    receiving = asyncio.ensure_future(layer.receive(channel))
    async with asyncio.timeout(DEADLINE_S):
        while not receiving.done():
            await layer.group_send("group", EVENT)
            await asyncio.wait([receiving], timeout=0.05)
    assert receiving.result()["type"] == "event"


async def test_a_member_of_a_group_hears_it(layer: PatientRedisChannelLayer) -> None:
    channel = await layer.new_channel()
    await layer.group_add("group", channel)

    await receive_of_group(layer, channel)


async def test_after_flushall_channels_are_in_their_groups_again(
    layer: PatientRedisChannelLayer, redis_server: RedisServer
) -> None:
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    await receive_of_group(layer, channel)

    redis_server.flush()

    await receive_of_group(layer, channel)


async def test_a_waiting_socket_outlives_a_restart_of_redis(
    layer: PatientRedisChannelLayer, redis_server: RedisServer
) -> None:
    """Its consumer's loop used to end with a ConnectionError."""
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    receiving = asyncio.ensure_future(layer.receive(channel))
    await receive_of_group(layer, await joined(layer))

    await asyncio.to_thread(redis_server.stop)
    late = await joined(layer)  # joined while Redis is away
    await layer.group_discard("group", await joined(layer))
    await asyncio.to_thread(redis_server.start)

    await receive_of_group(layer, late)
    async with asyncio.timeout(DEADLINE_S):
        assert (await receiving)["type"] == "event"


async def joined(layer: PatientRedisChannelLayer) -> str:
    """Make another channel in the group."""
    channel: str = await layer.new_channel()
    await layer.group_add("group", channel)
    return channel


async def test_nobody_waits_for_a_redis_that_does_not_answer(
    layer: PatientRedisChannelLayer, redis_server: RedisServer
) -> None:
    """A socket that connected was told nothing, and one that left stayed, until it answered."""
    staying, leaving = await layer.new_channel(), await layer.new_channel()
    await layer.group_add("group", leaving)

    with redis_server.stalled():
        async with asyncio.timeout(DEADLINE_S):
            await layer.group_add("group", staying)
            await layer.group_discard("group", leaving)

    await receive_of_group(layer, staying)
