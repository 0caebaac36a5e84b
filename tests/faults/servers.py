"""Which server: Daphne as it comes, ours on top of it, or uvicorn, by the same connections.

`python -m tests.faults.servers` prints a table for each. No model answers; a question waits.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.faults.client import Account
from tests.faults.figures import Figure, table
from tests.faults.scenarios import connections
from tests.faults.scenarios.connections import Target
from tests.faults.site import SCRIPTED, account_of
from tests.server.people import Person
from tests.server.processes import Product, prepare

DAPHNE = (sys.executable, "-m", "daphne", "-p", "{port}", "vlsite.asgi:application")
SERVERS = {
    "daphne": DAPHNE,
    "ours": (*SCRIPTED, "serve"),
    "uvicorn": (sys.executable, "-m", "tests.faults.uvicorn_server"),
}


def main() -> None:
    """Measure each in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(SERVERS), choices=list(SERVERS))
    parser.add_argument("--sockets", type=int, default=2000)
    given = parser.parse_args()
    for name in given.only:
        with tempfile.TemporaryDirectory(prefix="vl-servers-") as folder:
            figures = _measure(name, Path(folder), sockets=given.sockets)
        sys.stdout.write(f"\n{name}\n{table(figures)}\n")
        sys.stdout.flush()


def _measure(name: str, folder: Path, *, sockets: int) -> list[Figure]:
    product = Product(prepare(folder), {"VL_SOCKET_STALL_S": "5"})
    command = tuple(part.format(port=product.port) for part in SERVERS[name])
    product.start(command=command, until="")  # each says it in its own way, Daphne in none
    assert product.process is not None
    try:
        account = account_of(Person(product.url).sign_up("alice"))
        target = Target(product.port, product.process.pid)
        return asyncio.run(_run(account, target, sockets))
    finally:
        product.close()


async def _run(account: Account, target: Target, sockets: int) -> list[Figure]:
    return [
        await connections.idle(account, target, sockets=sockets),
        await connections.stalled(account, target, readers=20),
        await connections.flood(account, target),
        await connections.half_open(account, target),
        await connections.drip(target),
    ]


if __name__ == "__main__":
    main()
