"""Somebody asks a great many questions, and somebody else asks one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.faults.client import Follower, start_turn
from tests.faults.figures import Figure

if TYPE_CHECKING:
    from tests.faults.site import Site

GOAL = "B waits for at most one foreign reply a slot"
QUESTION = "words=10 decode_ms=100"
WAITING = "SELECT count(*) FROM chat_reply WHERE state = 'queued' AND message_id <> %s"
# Replies of others that began while B's waited: those B was made to wait for.
BEFORE_B = """
    SELECT count(*) FROM chat_reply AS other, chat_reply AS own
    WHERE own.message_id = %s AND other.message_id <> own.message_id
      AND other.started_at > own.queued_at AND other.started_at < own.started_at
"""


async def run(site: Site, *, queued: int, slots: int) -> Figure:
    """Let A queue so many, then B ask; count what is begun before B's."""
    await asyncio.to_thread(site.set_slots, slots // 2)
    a, b = [await asyncio.to_thread(site.new_account) for _ in range(2)]
    first = [
        Follower(a, (await start_turn(a, port, QUESTION))["reply"])
        for port in (site.ports * queued)[:queued]
    ]
    own = Follower(b, (await start_turn(b, site.ports[0], QUESTION))["reply"])
    ((waiting,),) = await asyncio.to_thread(site.rows, WAITING, own.reply)
    await asyncio.gather(*(each.follow(lambda: site.ports[0]) for each in (own, *first)))
    ((before,),) = await asyncio.to_thread(site.rows, BEFORE_B, own.reply)
    wrong = [fault for each in (own, *first) for fault in each.faults]
    if before > slots:
        wrong.append(f"{before} foreign replies were begun first")
    if waiting < slots:
        wrong.append(f"only {waiting} of A's were waiting")
    measured = {"slots": slots, "waiting": waiting, "begun_before_b": before}
    return Figure(f"user A queues {queued}, B asks 1", GOAL, 1, measured, wrong)
