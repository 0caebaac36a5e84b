"""A worker is stopped for longer than its lease, and then goes on as if nothing had happened."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from tests.faults.client import Follower, start_turn
from tests.faults.figures import Figure
from tests.faults.scripted import words

if TYPE_CHECKING:
    from tests.faults.site import Site

GOAL = "0 writes accepted from the old attempt"
DECODE_MS = 100
SEEN_WORDS = 5
LOOK_S = 0.05
AFTERWARDS_S = 5.0  # what the worker gets for trying to write, once it goes on
ROW = "SELECT attempt, state, text FROM chat_reply WHERE message_id = %s"


async def run(site: Site, *, replies: int, stall_s: float) -> Figure:
    """Stall the writers of so many replies; the replies outlast the stall."""
    count = round((stall_s + 2 * AFTERWARDS_S) * 1000 / DECODE_MS)
    account = await asyncio.to_thread(site.new_account)
    followers = []
    for port in (site.ports * replies)[:replies]:
        accepted = await start_turn(account, port, f"words={count} decode_ms={DECODE_MS}")
        followers.append(Follower(account, accepted["reply"]))
    reading = [asyncio.create_task(each.follow(lambda: site.ports[0])) for each in followers]
    while min(len(each.shown.split()) for each in followers) < SEEN_WORDS:
        await asyncio.sleep(LOOK_S)
    writers = [await asyncio.to_thread(site.writer_of, each.reply) for each in followers]
    victim = next(each for each in writers if each is not None)
    stalled = [f for f, writer in zip(followers, writers, strict=True) if writer is victim]
    victim.send_signal(signal.SIGSTOP)
    await asyncio.sleep(stall_s)
    at_wake = [(await asyncio.to_thread(site.rows, ROW, each.reply))[0] for each in stalled]
    victim.send_signal(signal.SIGCONT)
    await asyncio.gather(*reading)
    wrong = [fault for each in followers for fault in each.faults]
    wrong += ["another text" for each in followers if each.end.get("content") != words(count)]
    wrong += [f"not taken over: {state}" for attempt, state, _ in at_wake if attempt < 2]
    old = 0
    for each, (attempt, _, text) in zip(stalled, at_wake, strict=True):
        after, _, text_after = (await asyncio.to_thread(site.rows, ROW, each.reply))[0]
        old += after != attempt or not text_after.startswith(text)
    if old:
        wrong.append(f"{old} rows were written by an old attempt")
    measured = {"stalled_replies": len(stalled), "old_writes": old}
    return Figure(f"worker SIGSTOP {stall_s:g} s, then CONT", GOAL, 1, measured, wrong)
