"""The relay: from any thread to the sockets' event loop, and never in the way."""

from __future__ import annotations

import asyncio
import threading
import uuid
from typing import Any

import pytest
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, get_channel_layer

from chat.generation import relay as relays
from chat.generation.relay import Relay, reply_group, user_group

EVENT = {"type": "reply.text", "content": "one"}


def layer_here() -> BaseChannelLayer:
    """Give the channel layer that the tests' settings name."""
    layer = get_channel_layer()
    assert layer is not None
    return layer


def in_a_thread(relay: Relay, group: str = "group") -> None:
    """Send from another thread, as workers do."""
    thread = threading.Thread(target=relay.send, args=(group, EVENT))
    thread.start()
    thread.join(10)


async def test_an_event_from_a_thread_reaches_the_group() -> None:
    layer = layer_here()
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    relay = Relay()
    relay.bind()

    await asyncio.to_thread(in_a_thread, relay)

    assert await asyncio.wait_for(layer.receive(channel), 10) == EVENT


async def test_events_of_one_thread_keep_their_order() -> None:
    layer = layer_here()
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    relay = Relay()
    relay.bind()

    for number in range(50):
        relay.send("group", {"type": "n", "n": number})
    received = [await asyncio.wait_for(layer.receive(channel), 10) for _ in range(50)]

    assert [event["n"] for event in received] == list(range(50))


def test_without_a_socket_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(relays, "_send", lambda *args: sent.append(args))

    Relay().send("group", EVENT)

    assert sent == []


def test_after_its_loop_has_closed_nothing_is_sent() -> None:
    relay = Relay()

    async def bind() -> None:
        relay.bind()

    asyncio.run(bind())

    relay.send("group", EVENT)


async def test_a_released_loop_sends_not_even_what_was_handed_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(relays, "_send", lambda *args: sent.append(args))
    relay = Relay()
    relay.bind()
    relay.send("group", EVENT)
    relay.release()

    await asyncio.sleep(0.05)

    assert sent == []
    assert relay._sending is None


def test_a_loop_that_closes_in_between_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay()
    loop = asyncio.new_event_loop()
    relay._loop = loop
    monkeypatch.setattr(loop, "is_closed", lambda: False)

    def refuse(*_: Any) -> None:
        raise RuntimeError("injected: the loop is closed")

    monkeypatch.setattr(loop, "call_soon_threadsafe", refuse)

    relay.send("group", EVENT)

    monkeypatch.undo()
    loop.close()


@pytest.mark.parametrize("error", [ChannelFull(), ConnectionError("injected")])
async def test_a_layer_that_loses_an_event_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    class Lossy:
        async def group_send(self, group: str, event: dict[str, Any]) -> None:
            raise error

    monkeypatch.setattr(relays, "get_channel_layer", Lossy)

    await relays._send("group", EVENT)

    assert "an event for group was lost" in caplog.text


async def test_without_a_layer_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "get_channel_layer", lambda: None)

    await relays._send("group", EVENT)


@pytest.mark.parametrize("name", [user_group(7), reply_group(uuid.UUID(int=7)), relays.EVERYONE])
def test_group_names_are_allowed_by_the_layer(name: str) -> None:
    assert layer_here().require_valid_group_name(name)
