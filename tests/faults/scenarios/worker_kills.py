"""Workers are killed at every token index of a reply, and while they read the prompt."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import TYPE_CHECKING

from tests.faults.client import Account, Follower, start_turn
from tests.faults.figures import Figure, percentile
from tests.faults.scripted import words

if TYPE_CHECKING:
    from tests.faults.site import Site

FAULT = "worker SIGKILL at every token index and in prefill"
GOAL = "continues ≤ 20 s p99; text equals the undisturbed run"
GOAL_S = 20.0
WORDS = 24
DECODE_MS = 150
TOGETHER = 12  # replies at once, each some words behind the one before
IN_PREFILL = 2  # of them, the last ones
PREFILL = "prefill_ms=1200"  # a step of two: in prefill for longer than the others take
ASKED_BEFORE_WORDS = 4
LOOK_S = 0.02
IN_FLIGHT_S = 1.0  # what was sent before the kill may come as late as this


async def run(site: Site, *, indices: range, seed: int) -> Figure:
    """Kill workers until each index in `indices` was somebody's, and somebody was in prefill.

    An index is the number of words shown when the worker died.
    """
    chance = random.Random(seed)
    account = site.new_account()
    left = set(indices)
    kills = prefills = 0
    paused_s: list[float] = []
    wrong: list[str] = []
    while (left or not prefills) and not wrong:
        aim = min(left, default=0)
        killed, at_prefill = await _kill_once(site, account, chance, aim=aim)
        kills += 1
        prefills += at_prefill
        for follower, index, killed_at in killed:
            left.discard(index)
            wrong += _check(follower)
            later = [at for at, _ in follower.moments if at > killed_at + IN_FLIGHT_S]
            paused_s += [later[0] - killed_at] if later else []
    p99 = percentile(paused_s, 99) if paused_s else 0.0
    if p99 > GOAL_S:
        wrong.append(f"p99 {p99:.1f} s")
    measured = {
        "kills": kills,
        "indices": len(indices) - len(left),
        "in_prefill": prefills,
        "p50_s": round(percentile(paused_s, 50), 1) if paused_s else 0.0,
        "p99_s": round(p99, 1),
    }
    return Figure(FAULT, GOAL, len(paused_s), measured, wrong)


async def _kill_once(
    site: Site, account: Account, chance: random.Random, *, aim: int
) -> tuple[list[tuple[Follower, int, float]], int]:
    """Start replies one after the other; kill a worker once the first of its own has `aim` words.

    Returns the replies it was writing, each with its index and the moment, and how many of them
    were in prefill.
    """
    tasks, followers = [], []
    for number in range(TOGETHER):
        stages = PREFILL if number >= TOGETHER - IN_PREFILL else ""
        question = f"words={WORDS} decode_ms={DECODE_MS} {stages}"
        port = chance.choice(site.ports)
        accepted = await start_turn(account, port, question)
        follower = Follower(account, accepted["reply"])
        followers.append(follower)
        tasks.append(asyncio.create_task(follower.follow(lambda port=port: port)))  # type: ignore[misc]
    # Asking who writes what takes as long as some words, so it is known before the moment comes.
    asked_at = max(1, aim - ASKED_BEFORE_WORDS)
    while _count(followers[0]) < asked_at and not followers[0].ends:
        await asyncio.sleep(LOOK_S)
    writers = await asyncio.gather(
        *(asyncio.to_thread(site.writer_of, each.reply) for each in followers)
    )
    victim = next(each for each in writers if each is not None)
    written = [
        follower
        for follower, writer in zip(followers, writers, strict=True)
        if writer is victim and not follower.ends
    ]
    while all(_count(each) < aim for each in written if not each.ends) and not _all_ended(written):
        await asyncio.sleep(LOOK_S)
    await asyncio.to_thread(victim.kill)
    killed_at = monotonic()
    hit = [(each, _count(each), killed_at) for each in written if not each.ends]
    in_prefill = sum(
        follower in followers[-IN_PREFILL:] and not index for follower, index, _ in hit
    )
    await asyncio.to_thread(site.start, victim)
    await asyncio.gather(*tasks)
    await asyncio.to_thread(victim.wait_ready, 60.0)
    return hit, in_prefill


def _all_ended(followers: list[Follower]) -> bool:
    return all(each.ends for each in followers)


def _count(follower: Follower) -> int:
    return len(follower.shown.split())


def _check(follower: Follower) -> list[str]:
    if follower.faults:
        return follower.faults
    return [] if follower.end["content"] == words(WORDS) else ["another text than undisturbed"]
