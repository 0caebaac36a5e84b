"""`make faults`: inject every fault in full, print the figures as a table, then as JSON.

`python -m tests.faults --seed 7 --share 0.1` injects a tenth of them, with other chances.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import TextIO

from tests.faults.figures import Figure, summary, table
from tests.faults.scenarios import (
    connections,
    cuts,
    fairness,
    reloads,
    repeats,
    rolling,
    stops,
    store_losses,
    worker_kills,
    worker_stalls,
)
from tests.faults.scenarios.connections import Target
from tests.faults.site import Site, running_site

Scenario = Callable[[], Awaitable[Figure]]
SLOTS = 8


def scenarios(site: Site, *, seed: int, share: float) -> dict[str, Scenario]:
    """List every row of the table, in the order in which they run."""

    def part(runs: int) -> int:
        return max(1, round(runs * share))

    account = site.new_account()

    def web() -> Target:
        """Find the first web process: others may have ended it meanwhile."""
        child = site.cluster.named("web")[0]
        assert child.process is not None
        return Target(site.cluster.web_ports[child.name], child.process.pid)

    return {
        "cuts": lambda: cuts.run(account, site.ports[0], runs=part(10_000), seed=seed),
        "reloads": lambda: reloads.run(account, site.ports, runs=part(200), seed=seed),
        "repeats": lambda: repeats.run(site, times=1000),
        "stops": lambda: stops.run(site, times=part(25)),
        "kills": lambda: worker_kills.run(site, indices=range(part(worker_kills.WORDS)), seed=seed),
        "stalls": lambda: worker_stalls.run(site, replies=4, stall_s=30),
        "rolling": lambda: rolling.run(site, sockets=100, replies=8, seconds=60),
        "flush": lambda: store_losses.run(site, "FLUSHALL", queued=200),
        "redis": lambda: store_losses.run(site, "Redis restart", queued=200),
        "postgres": lambda: store_losses.run(site, "PostgreSQL restart", queued=200),
        "idle": lambda: connections.idle(account, web(), sockets=part(2000)),
        "stalled": lambda: connections.stalled(account, web(), readers=20),
        "flood": lambda: connections.flood(account, web()),
        "half-open": lambda: connections.half_open(account, web()),
        "drip": lambda: connections.drip(web()),
        "fairness": lambda: fairness.run(site, queued=50, slots=4),
    }


def main() -> int:
    """Run the rows that were asked for; the exit status says whether all figures were reached."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the runs, up to 1")
    parser.add_argument("--only", nargs="*", help="names of rows")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vl-faults-"))
    folder.chmod(0o755)  # PostgreSQL's user has to reach it
    began = monotonic()
    figures = []
    try:
        with running_site(folder) as site:
            for name, scenario in scenarios(site, seed=given.seed, share=given.share).items():
                if not given.only or name in given.only:
                    figures.append(asyncio.run(_measure(name, scenario, site)))
                    _say(table(figures[-1:]).splitlines()[-1], to=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _say(table(figures))
    facts = {"seed": given.seed, "share": given.share, "took_s": round(monotonic() - began)}
    _say(summary(figures, **facts))
    return 0 if all(each.is_reached for each in figures) else 1


async def _measure(name: str, scenario: Scenario, site: Site) -> Figure:
    """Run one row; one that breaks is a row too, and the others still run."""
    try:
        return await scenario()
    except Exception as error:  # noqa: BLE001 - the table tells of it
        traceback.print_exc()
        _say("\n".join(list(site.log)[-60:]), to=sys.stderr)
        return Figure(name, "", 0, {}, [f"{type(error).__name__}: {error}"])


def _say(text: str, to: TextIO | None = None) -> None:
    print(text, file=to, flush=True)


if __name__ == "__main__":
    sys.exit(main())
