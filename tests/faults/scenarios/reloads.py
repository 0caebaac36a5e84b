"""Somebody reloads, or comes from another device or instance, in the middle of a reply."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import TYPE_CHECKING

from tests.faults.client import Account, Follower, start_turn
from tests.faults.figures import Figure, percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

FAULT = "reload or other instance in the middle"
GOAL = "complete from any cursor, p95 ≤ 300 ms to all text so far"
GOAL_MS = 300
QUESTION = "words=150 decode_ms=20"
RELOADS_A_REPLY = 20
PAUSE_S = 0.1


async def run(account: Account, ports: Sequence[int], *, runs: int, seed: int) -> Figure:
    """Reload `runs` times, one after the other, at random cursors and on any of the instances."""
    chance = random.Random(seed)
    wrong: list[str] = []
    taken_ms: list[float] = []
    while len(taken_ms) < runs:
        accepted = await start_turn(account, ports[0], QUESTION)
        witness = Follower(account, accepted["reply"])
        watching = asyncio.create_task(witness.follow(lambda: ports[0]))
        for _ in range(min(RELOADS_A_REPLY, runs - len(taken_ms))):
            # A person's own pace, not a wait for something to happen.
            await asyncio.sleep(PAUSE_S)
            port = chance.choice(ports)
            known = witness.shown
            cursor = chance.randrange(len(known) + 1)
            follower = Follower(account, accepted["reply"], shown=known[:cursor])
            taken_ms.append(await _reload(follower, port, until=len(known)))
            # A reply that has ended meanwhile is told whole, by its end.
            shown = follower.end.get("content", "") if follower.ends else follower.shown
            if not shown.startswith(known):
                wrong.append(f"from {cursor}: what the witness had shown is not there")
            wrong += [f"from {cursor}: {fault}" for fault in follower.faults]
        await watching
        wrong += witness.faults
    p95 = percentile(taken_ms, 95)
    if p95 > GOAL_MS:
        wrong.append(f"p95 {p95:.0f} ms")
    measured = {"p50_ms": round(percentile(taken_ms, 50)), "p95_ms": round(p95)}
    return Figure(FAULT, GOAL, len(taken_ms), measured, wrong)


async def _reload(follower: Follower, port: int, *, until: int) -> float:
    """Connect and read until so much is shown; return how long it took, in ms."""
    began = monotonic()
    async with follower.account.connect(port) as connection:
        await follower.read(connection, until=until)
    return (monotonic() - began) * 1000
