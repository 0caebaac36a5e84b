"""The same message is sent many times, over two instances at once."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from tests.faults.client import Account, ask
from tests.faults.figures import Figure

if TYPE_CHECKING:
    from tests.faults.site import Site

GOAL = "1 turn"
SOCKETS = 20


async def run(site: Site, *, times: int) -> Figure:
    """Send one message `times` times over sockets to all web processes."""
    account = await asyncio.to_thread(site.new_account)
    client_id = str(uuid.uuid4())
    ports = (site.ports * SOCKETS)[:SOCKETS]
    told = await asyncio.gather(
        *(_repeat(account, port, client_id, times=times // SOCKETS) for port in ports)
    )
    accepted = [reply for each in told for reply in each]
    ((turns,),) = await asyncio.to_thread(
        site.rows, "SELECT count(*) FROM chat_message WHERE client_id = %s", client_id
    )
    wrong = [] if turns == 1 else [f"{turns} turns"]
    if len(set(accepted)) != 1 or len(accepted) != times // SOCKETS * SOCKETS:
        wrong.append(f"{len(accepted)} answers named {len(set(accepted))} replies")
    measured = {"sent": len(accepted), "turns": turns, "instances": len(site.ports)}
    return Figure(f"the same message id {times} times over two instances", GOAL, 1, measured, wrong)


async def _repeat(account: Account, port: int, client_id: str, *, times: int) -> list[str]:
    async with account.connect(port) as connection:
        return [(await ask(connection, "words=3", id=client_id))["reply"] for _ in range(times)]
