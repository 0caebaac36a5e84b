"""Connections are cut at every event boundary of a reply, and inside events."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.client import Account, Follower, start_turn
from tests.faults.figures import Figure
from tests.faults.tcp_proxy import Plan, TcpProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAULT = "connection cut at every event boundary"
GOAL = "0 characters lost, doubled or reordered; always a prefix"
FOLLOWERS = 40  # of one reply at once, each cut at places of its own
WORDS = 40
QUESTION = f"words={WORDS} decode_ms=45"
# An info and a status frame come first; then an event for every word, since each takes longer
# than text is gathered for; then the end.
LAST_FRAME = WORDS + 3
LONGEST_INSIDE_BYTES = 60
SPLITS_BYTES = (1, 7, 65_536)


def plans(chance: random.Random, first_cut: int) -> Iterator[Plan]:
    """Cut at the given boundary, at up to two random places more, and then no more."""
    yield Plan(cut_after_frames=first_cut)
    for _ in range(chance.randrange(3)):
        yield Plan(
            cut_after_frames=chance.randrange(LAST_FRAME),
            cut_after_bytes=chance.randrange(LONGEST_INSIDE_BYTES),
            split_bytes=chance.choice(SPLITS_BYTES),
        )
    yield from itertools.repeat(Plan(split_bytes=chance.choice(SPLITS_BYTES)))


async def run(account: Account, port: int, *, runs: int, seed: int) -> Figure:
    """Follow replies `runs` times, each time with other cuts; every boundary has its turn."""
    wrong: list[str] = []
    boundaries: Counter[int] = Counter()
    cuts = 0
    for first in range(0, runs, FOLLOWERS):
        numbers = range(first, min(first + FOLLOWERS, runs))
        accepted = await start_turn(account, port, QUESTION)
        done = await asyncio.gather(
            *(
                _follow_once(account, accepted["reply"], port, number=number, seed=seed)
                for number in numbers
            )
        )
        for number, (follower, cut) in zip(numbers, done, strict=True):
            boundaries[number % LAST_FRAME] += 1
            cuts += cut
            wrong += [f"run {number} (seed {seed}): {fault}" for fault in follower.faults]
    return Figure(
        FAULT, GOAL, runs, {"boundaries": len(boundaries), "cuts": cuts, "wrong": len(wrong)}, wrong
    )


async def _follow_once(
    account: Account, reply: str, port: int, *, number: int, seed: int
) -> tuple[Follower, int]:
    chance = random.Random(f"{seed}-{number}")
    next_plan: Callable[[], Plan] = plans(chance, number % LAST_FRAME).__next__
    async with TcpProxy(port, next_plan) as proxy:
        follower = await Follower(account, reply).follow(lambda: proxy.port)
        return follower, proxy.cuts
