"""`make bench-ui`: measure the page in headless Chromium, print a table, then one line of JSON.

`python -m tests.bench_ui --only size start` measures these rows alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.bench_ui import measures
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.server import ServerProcess
from tests.faults.figures import Figure, summary, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

ROWS: dict[str, Callable[[measures.Bench], Figure]] = {
    "size": measures.size,
    "start": measures.start,
    "long": measures.long_conversation,
    "text": measures.text,
    "memory": measures.memory,
    "axe": measures.axe,
}


def main() -> int:
    """Measure the rows that were asked for; the exit status says whether all were reached."""
    parser = argparse.ArgumentParser(prog="make bench-ui", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=ROWS, help="names of rows")
    wanted = parser.parse_args().only or list(ROWS)
    began, figures = monotonic(), []
    with (
        tempfile.TemporaryDirectory(prefix="vl-bench-ui-") as name,
        sync_playwright() as playwright,
    ):
        folder = Path(name)
        server = ServerProcess(folder, {"VL_BACKEND": "scripted"})
        server.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            bench = measures.Bench(browser, server, folder)
            for row in wanted:
                figures.append(_measure(row, bench))
                _say(table(figures[-1:]).splitlines()[-1], to=sys.stderr)
        finally:
            browser.close()
            server.stop()
    _say(table(figures))
    facts = {"took_s": round(monotonic() - began), "load": round(os.getloadavg()[0], 1)}
    _say(summary(figures, **facts))
    return 0 if all(each.is_reached for each in figures) else 1


def _measure(row: str, bench: measures.Bench) -> Figure:
    """Measure one row; one that breaks is a row too, and the others still run."""
    try:
        return ROWS[row](bench)
    except Exception as error:  # noqa: BLE001 - the table tells of it
        traceback.print_exc()
        return Figure(row, "", 0, {}, [f"{type(error).__name__}: {error}"])


def _say(text: str, to: TextIO | None = None) -> None:
    print(text, file=to, flush=True)


if __name__ == "__main__":
    sys.exit(main())
