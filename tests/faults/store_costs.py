"""What Redis and PostgreSQL have to do for an idle installation, a socket and a reply.

`python -m tests.faults.store_costs` prints a line each and then JSON. These are counts, so a busy
machine does not change them; docs/operations.md reckons with them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import redis

from tests.faults.client import Follower, ask
from tests.faults.site import running_site

if TYPE_CHECKING:
    from tests.faults.site import Site

WATCHED_S = 20.0
SOCKETS = 100
REPLIES = 20
WORDS = 150
DECODE_MS = 60  # a word is a token is an event of its own
SETTLE_S = 2.0  # PostgreSQL tells of transactions this late
OWN_COMMANDS = ("info", "client|setinfo", "auth", "hello", "config")


@dataclass(frozen=True, slots=True)
class Work:
    """What both stores have done: commands, bytes to and from Redis, transactions."""

    redis_commands: float
    redis_bytes: float
    transactions: float

    @classmethod
    def so_far(cls, site: Site) -> Work:
        """Read the stores' own counters."""
        with redis.Redis.from_url(site.cluster.redis_url) as client:
            calls = client.info("commandstats")
            stats = client.info("stats")
        commands = sum(
            entry["calls"]
            for name, entry in calls.items()
            if name.removeprefix("cmdstat_") not in OWN_COMMANDS
        )
        sent = stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
        ((transactions,),) = site.rows(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database"
            " WHERE datname = current_database()"
        )
        return cls(commands, sent, transactions)

    def since(self, before: Work, divided_by: float) -> Work:
        """Give what was done since, a second or a reply."""
        return Work(
            *((getattr(self, each.name) - getattr(before, each.name)) / divided_by
              for each in fields(Work))
        )  # fmt: skip

    def less(self, other: Work, times: float = 1.0) -> Work:
        """Give what remains when something else is taken off."""
        return Work(
            *(getattr(self, each.name) - times * getattr(other, each.name)
              for each in fields(Work))
        )  # fmt: skip

    def as_dict(self) -> dict[str, float]:
        """Give it rounded, by name."""
        return {each.name: round(getattr(self, each.name), 2) for each in fields(Work)}


async def measure(site: Site) -> dict[str, dict[str, float]]:
    """Watch the site do nothing, hold sockets, and answer."""
    idle = await _watch(site)
    account = site.new_account()
    async with AsyncExitStack() as held:
        for number in range(SOCKETS):
            await held.enter_async_context(account.connect(site.ports[number % 2]))
        sockets = (await _watch(site)).less(idle)
    reply, took_s = await _answer(site)
    return {
        "idle, a second": idle.as_dict(),
        f"{SOCKETS} idle sockets, a second": sockets.as_dict(),
        f"a reply of {WORDS} tokens": reply.less(idle, took_s).as_dict(),
    }


async def _watch(site: Site) -> Work:
    await asyncio.sleep(SETTLE_S)
    before, began = Work.so_far(site), monotonic()
    await asyncio.sleep(WATCHED_S)
    return Work.so_far(site).since(before, monotonic() - began)


async def _answer(site: Site) -> tuple[Work, float]:
    """Ask and follow, a person after the other; give the work and the seconds of one reply."""
    question = f"words={WORDS} decode_ms={DECODE_MS} prefill_ms=200 vision_ms=200"
    accounts = [site.new_account() for _ in range(REPLIES)]
    await asyncio.sleep(SETTLE_S)
    before, began = Work.so_far(site), monotonic()
    for number, account in enumerate(accounts):
        port = site.ports[number % 2]
        async with account.connect(port) as connection:
            accepted = await ask(connection, question)
            follower = Follower(account, accepted["reply"])
            await follower.read(connection)
            assert follower.end["type"] == "final", follower.end
    await asyncio.sleep(SETTLE_S)
    took_s = (monotonic() - began) / REPLIES
    return Work.so_far(site).since(before, REPLIES), took_s


def main() -> None:
    """Measure once, in an installation of its own."""
    folder = Path(tempfile.mkdtemp(prefix="vl-costs-"))
    folder.chmod(0o755)  # PostgreSQL's user has to reach it
    try:
        with running_site(folder) as site:
            found = asyncio.run(measure(site))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, work in found.items():
        sys.stdout.write(f"{name}: {work}\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
