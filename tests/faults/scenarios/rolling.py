"""Every web process and worker is restarted in turn, under people's hands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.faults.client import Follower, start_turn
from tests.faults.figures import Figure
from tests.faults.scripted import words

if TYPE_CHECKING:
    from tests.faults.site import Site

GOAL = "0 failed replies, each process out ≤ 30 s"
GOAL_S = 30.0
PAUSE_S = 0.2
DECODE_MS = 100


async def run(site: Site, *, sockets: int, replies: int, seconds: int) -> Figure:
    """Restart all four while so many sockets follow replies of so many seconds."""
    count = seconds * 1000 // DECODE_MS
    account = await asyncio.to_thread(site.new_account)
    question = f"words={count} decode_ms={DECODE_MS}"
    ids = [(await start_turn(account, site.proxy_port, question))["reply"] for _ in range(replies)]
    followers = [Follower(account, ids[number % replies]) for number in range(sockets)]
    reading = [asyncio.create_task(each.follow(lambda: site.proxy_port)) for each in followers]
    while not all(each.connections for each in followers):
        await asyncio.sleep(PAUSE_S)
    exits_s = [
        await asyncio.to_thread(site.restart, child)
        for child in [*site.cluster.named("web"), *site.cluster.named("worker")]
    ]
    is_under_way = sum(not each.ends for each in followers)
    await asyncio.gather(*reading)
    wrong = [fault for each in followers for fault in each.faults]
    wrong += ["another text" for each in followers if each.end.get("content") != words(count)]
    if max(exits_s) > GOAL_S:
        wrong.append(f"a process took {max(exits_s):.0f} s")
    measured = {
        "processes": len(exits_s),
        "longest_exit_s": round(max(exits_s), 1),
        "reconnects": sum(each.connections - 1 for each in followers),
        "still_reading_after": is_under_way,
    }
    fault = f"rolling SIGTERM under {sockets} sockets and {replies} running replies"
    return Figure(fault, GOAL, 1, measured, wrong)
