"""A store is restarted, or forgets everything, while replies wait and are being written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import redis

from tests.faults.client import Account, Follower, start_turn
from tests.faults.figures import Figure
from tests.faults.scripted import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.site import Site

GOAL = "0 lost; sockets open"
RUNNING = 4
WORDS = 12
QUESTION = f"words={WORDS} decode_ms=40"
BETWEEN_S = 0.5  # a reply's own time, so that some are being written whenever it happens
PEOPLE = 8


def flush(site: Site) -> None:
    """Make Redis forget everything."""
    with redis.Redis.from_url(site.cluster.redis_url) as client:
        client.flushall()


def restart_redis(site: Site) -> None:
    """Kill Redis, which keeps nothing, and start it again."""
    site.kill(site.cluster.children["redis"])


def restart_postgres(site: Site) -> None:
    """Restart PostgreSQL as an administrator would, without waiting for its clients."""
    site.restart(site.cluster.children["postgres"])


LOSSES: dict[str, Callable[[Site], None]] = {
    "FLUSHALL": flush,
    "Redis restart": restart_redis,
    "PostgreSQL restart": restart_postgres,
}


async def run(site: Site, loss: str, *, queued: int) -> Figure:
    """Let so many replies wait and four be written, lose the store, and read all to their ends."""
    await asyncio.to_thread(site.set_slots, RUNNING // 2)
    accounts = [await asyncio.to_thread(site.new_account) for _ in range(PEOPLE)]
    count = queued + RUNNING
    followers = [
        await _ask(site, accounts[number % PEOPLE], site.ports[number % len(site.ports)])
        for number in range(count)
    ]
    reading = [
        asyncio.create_task(follower.follow(lambda port=port: port))  # type: ignore[misc]
        for follower, port in zip(followers, site.ports * count, strict=False)
    ]
    await asyncio.sleep(BETWEEN_S)
    states = dict(
        await asyncio.to_thread(site.rows, "SELECT state, count(*) FROM chat_reply GROUP BY state")
    )
    await asyncio.to_thread(LOSSES[loss], site)
    await asyncio.gather(*reading)
    wrong = [fault for each in followers for fault in each.faults]
    wrong += ["another text" for each in followers if each.end.get("content") != words(WORDS)]
    reconnects = sum(each.connections - 1 for each in followers)
    if reconnects and loss != "PostgreSQL restart":
        wrong.append(f"{reconnects} sockets were closed")
    measured = {
        "replies": count,
        "open": states.get("queued", 0) + states.get("running", 0),
        "running": states.get("running", 0),
        "lost": sum(not each.ends for each in followers),
        "reconnects": reconnects,
    }
    return Figure(f"{loss} with {queued} queued and {RUNNING} running", GOAL, 1, measured, wrong)


async def _ask(site: Site, account: Account, port: int) -> Follower:
    accepted = await start_turn(account, port, QUESTION)
    return Follower(account, accepted["reply"])
