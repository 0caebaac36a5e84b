"""A store is restarted, or forgets everything, while replies wait and are being written."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import redis

from tests.faults.client import Account, Follower, ask
from tests.faults.figures import Figure
from tests.faults.scripted import release, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.site import Site

GOAL = "0 lost; sockets open"
RUNNING = 4
WORDS = 12
QUESTION = f"words={WORDS} decode_ms=40"
PEOPLE = 8
LOOK_S = 0.05
STATES = "SELECT state, count(*) FROM chat_reply GROUP BY state"


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
    """Let so many replies wait and four be written, lose the store, and read all to their ends.

    The four hold their slots until all have asked, all sockets are open, and the store is lost.
    """
    await asyncio.to_thread(site.set_slots, RUNNING // 2)
    accounts = [await asyncio.to_thread(site.new_account) for _ in range(PEOPLE)]
    number = secrets.randbits(32)
    followers = await _ask(accounts[0], site.ports[0], f"{QUESTION} held={number}", times=RUNNING)
    while (await _states(site)).get("running", 0) < RUNNING:
        await asyncio.sleep(LOOK_S)
    shares = [len(range(number, queued, PEOPLE)) for number in range(PEOPLE)]
    asked = await asyncio.gather(
        *(
            _ask(account, port, QUESTION, times=times)
            for account, port, times in zip(accounts, site.ports * PEOPLE, shares, strict=False)
        )
    )
    followers += [follower for each in asked for follower in each]
    reading = [
        asyncio.create_task(follower.follow(lambda port=port: port))  # type: ignore[misc]
        for follower, port in zip(followers, site.ports * len(followers), strict=False)
    ]
    while not all(each.connections for each in followers):
        await asyncio.sleep(LOOK_S)
    states = await _states(site)
    await asyncio.to_thread(LOSSES[loss], site)
    release(site.cluster.installation.folder, number)
    await asyncio.gather(*reading)
    wrong = [fault for each in followers for fault in each.faults]
    wrong += ["another text" for each in followers if each.end.get("content") != words(WORDS)]
    reconnects = sum(each.connections - 1 for each in followers)
    if (states.get("queued", 0), states.get("running", 0)) != (queued, RUNNING):
        wrong.append(f"it came when there were {states}")
    if reconnects and loss != "PostgreSQL restart":
        wrong.append(f"{reconnects} sockets were closed")
    measured = {
        "replies": len(followers),
        "queued": states.get("queued", 0),
        "running": states.get("running", 0),
        "lost": sum(not each.ends for each in followers),
        "reconnects": reconnects,
    }
    return Figure(f"{loss} with {queued} queued and {RUNNING} running", GOAL, 1, measured, wrong)


async def _ask(account: Account, port: int, text: str, *, times: int) -> list[Follower]:
    """Ask over one socket; nobody reads there."""
    async with account.connect(port) as connection:
        asked = [await ask(connection, text) for _ in range(times)]
    return [Follower(account, accepted["reply"]) for accepted in asked]


async def _states(site: Site) -> dict[str, int]:
    return dict(await asyncio.to_thread(site.rows, STATES))
