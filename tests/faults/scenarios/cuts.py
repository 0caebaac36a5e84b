"""Connections are cut at every event boundary of a reply, and inside events."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.client import Account, Follower, start_turn
from tests.faults.figures import Figure
from tests.faults.scripted import words
from tests.faults.tcp_proxy import Plan, TcpProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAULT = "connection cut at every event boundary"
GOAL = "0 characters lost, doubled or reordered; always a prefix"
FOLLOWERS = 80  # of one reply at once, each cut at places of its own
WORDS = 40
# Reading the prompt takes long enough for all to be there when the text begins, and each word
# longer than text is gathered for: so every word is an event of its own. Before them come info and
# stages, between them a stage a second, behind them the end.
QUESTION = f"words={WORDS} decode_ms=60 prefill_ms=400"
LAST_FRAME = WORDS + 6
COVERING = 10  # a busy machine gathers words into one event; so often it will not
TEXT = words(WORDS)
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
    cuts: Counter[int] = Counter()
    for first in range(0, runs, FOLLOWERS):
        numbers = range(first, min(first + FOLLOWERS, runs))
        accepted = await start_turn(account, port, QUESTION)
        done = await asyncio.gather(
            *(
                _follow_once(account, accepted["reply"], port, number=number, seed=seed)
                for number in numbers
            )
        )
        for number, (follower, cut_after) in zip(numbers, done, strict=True):
            cuts.update(cut_after)
            wrong += [f"run {number} (seed {seed}): {fault}" for fault in follower.faults]
            wrong += [f"run {number}: another text"] * (follower.end.get("content") != TEXT)
    never = [boundary for boundary in range(WORDS) if not cuts[boundary]]
    if runs >= COVERING * LAST_FRAME and never:
        wrong.append(f"never cut behind event {never}")
    measured = {"boundaries": len(cuts), "cuts": cuts.total(), "wrong": len(wrong)}
    return Figure(FAULT, GOAL, runs, measured, wrong)


async def _follow_once(
    account: Account, reply: str, port: int, *, number: int, seed: int
) -> tuple[Follower, list[int]]:
    chance = random.Random(f"{seed}-{number}")
    next_plan: Callable[[], Plan] = plans(chance, number % LAST_FRAME).__next__
    async with TcpProxy(port, next_plan) as proxy:
        follower = await Follower(account, reply).follow(lambda: proxy.port)
        return follower, proxy.cut_after
