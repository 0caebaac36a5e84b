"""A reply is stopped from another instance than the one that shows it, in each of its stages."""

from __future__ import annotations

import asyncio
import base64
import io
from time import monotonic
from typing import TYPE_CHECKING

from PIL import Image

from tests.faults.client import Account, Follower, send, start_turn
from tests.faults.figures import Figure, percentile

if TYPE_CHECKING:
    from tests.faults.site import Site

FAULT = "stop from another instance, in queue, vision, prefill, decode"
GOAL = "confirmed, and the worker free, ≤ 1 s p99"
GOAL_MS = 1000
STAGES = ("queued", "vision", "prefill", "decode")
SLOW_MS = 20_000  # a step takes so long that only a stop can end it
LOOK_S = 0.01
FREE = "SELECT count(*) FROM chat_reply WHERE state = 'running'"


async def run(site: Site, *, times: int) -> Figure:
    """Stop so many replies in each stage; each is stopped over the other web process."""
    account = await asyncio.to_thread(site.new_account)
    taken_ms: dict[str, list[float]] = {stage: [] for stage in STAGES}
    wrong: list[str] = []
    for _ in range(times):
        for stage in ("vision", "prefill", "decode"):
            follower, ms = await _stop_in(site, account, stage)
            taken_ms[stage].append(ms)
            wrong += _check(follower, stage)
    await _fill(site, account)
    for _ in range(times):
        follower, ms = await _stop_in(site, account, "queued")
        taken_ms["queued"].append(ms)
        wrong += _check(follower, "queued")
    await _empty(site, account)
    p99 = percentile([ms for each in taken_ms.values() for ms in each], 99)
    if p99 > GOAL_MS:
        wrong.append(f"p99 {p99:.0f} ms")
    measured = {f"{stage}_max_ms": round(max(each)) for stage, each in taken_ms.items()}
    return Figure(FAULT, GOAL, 4 * times, measured | {"p99_ms": round(p99)}, wrong)


async def _stop_in(site: Site, account: Account, stage: str) -> tuple[Follower, float]:
    """Ask, wait until the reply has come to the stage, stop it; return how long that took, in ms.

    Its end is told once the worker has let go of it.
    """
    near, far = site.ports[0], site.ports[-1]
    images = {"image": _picture()} if stage == "vision" else {}
    accepted = await start_turn(account, near, _question(stage), **images)
    follower = Follower(account, accepted["reply"])
    reading = asyncio.create_task(follower.follow(lambda: near))
    while not _has_come_to(follower, stage) and not reading.done():
        await asyncio.sleep(LOOK_S)
    async with account.connect(far) as other:
        began = monotonic()
        await send(other, type="stop", reply=follower.reply)
        await reading
    return follower, (monotonic() - began) * 1000


def _question(stage: str) -> str:
    """Slow down the stage to stop in; vision takes two steps, of which the first is told."""
    if stage == "decode":
        return "words=500 decode_ms=100"
    return f"words=5 {stage}_ms=1000" if stage != "queued" else "words=5"


def _has_come_to(follower: Follower, stage: str) -> bool:
    if stage == "decode":
        return bool(follower.shown)
    return any(told["stage"] == stage for told in follower.stages)


async def _fill(site: Site, account: Account) -> None:
    """Give every slot something to do that does not end by itself."""
    slots = site.slots
    for _ in range(slots):
        await start_turn(account, site.ports[0], f"words=2 decode_ms={SLOW_MS}")
    while (await asyncio.to_thread(site.rows, FREE))[0][0] < slots:
        await asyncio.sleep(LOOK_S)


async def _empty(site: Site, account: Account) -> None:
    running = "SELECT message_id FROM chat_reply WHERE state IN ('running', 'queued')"
    async with account.connect(site.ports[0]) as connection:
        for (reply,) in await asyncio.to_thread(site.rows, running):
            await send(connection, type="stop", reply=str(reply))
        while (await asyncio.to_thread(site.rows, FREE))[0][0]:
            await asyncio.sleep(LOOK_S)


def _check(follower: Follower, stage: str) -> list[str]:
    is_stopped = follower.end.get("finish_reason") == "stopped"
    return follower.faults + ([] if is_stopped else [f"{stage}: {follower.end}"])


def _picture() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
