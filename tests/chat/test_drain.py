"""A web process leaves: each of its sockets is closed, whatever happens to another."""

from __future__ import annotations

from chat.drain import Drain


async def test_every_socket_is_closed_once() -> None:
    drain, closed = Drain(), []

    async def close(name: str) -> None:
        closed.append(name)

    drain.add("a", lambda: close("a"))
    drain.add("b", lambda: close("b"))
    drain.add("gone", lambda: close("gone"))
    drain.discard("gone")
    await drain.run(notice_s=0, spread_s=0)

    assert sorted(closed) == ["a", "b"]
    assert drain.is_draining


async def test_a_socket_that_cannot_be_closed_keeps_no_other() -> None:
    drain, closed = Drain(), []

    async def fail() -> None:
        raise OSError("injected")

    async def close() -> None:
        closed.append("other")

    drain.add("broken", fail)
    drain.add("other", close)
    await drain.run(notice_s=0, spread_s=0)

    assert closed == ["other"]
