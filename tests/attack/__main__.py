"""`make attack`: run every attack in full, print the figures as a table, then as JSON.

`python -m tests.attack --seed 7 --share 0.1` makes a tenth of the generated attacks, with other
chances; `--folder PATH` also uploads every file below that folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TextIO

from tests.attack import suites, uploads
from tests.attack.suites import Suite
from tests.attack.target import running_target
from tests.contract.documents import code, read
from tests.faults.figures import Figure, summary, table

MUTATIONS = 5000


def named_in_security_md() -> tuple[str, ...]:
    """Give the tests behind every defence."""
    return tuple(sorted({name for name in code(read("SECURITY.md")) if "::" in name}))


# A row here is a goal and the test files that attack it.
SUITES = {
    "defences": Suite("every test that SECURITY.md names", named_in_security_md()),
    "sandbox": Suite(
        "what took over a decoder reaches no file, socket, process or secret",
        ("tests/chat/decoding/test_confinement.py", "tests/chat/decoding/test_decoder.py"),
    ),
    "text": Suite(
        "no script runs, nothing is fetched, links show where they lead, no control token",
        (
            "tests/browser/test_hostile_text.py",
            "tests/chat/test_hostile_text.py",
            "tests/chat/test_rendering_hostile.py",
            "tests/chat/test_markdown_links.py",
            "tests/inference/backends/test_hostile_prompts.py",
            "tests/chat/generation/test_hostile_history.py",
        ),
        {"ATTACK_TEXT_BATCHES": "40"},
    ),
    "sockets": Suite(
        "malformed, endless and unread frames: the right close code, nobody else notices",
        (
            "tests/server/test_hostile_clients.py",
            "tests/server/test_protocol_abuse.py",
            "tests/server/test_random_frames.py",
            "tests/vlsite/test_origins.py",
        ),
        {"RANDOM_FRAMES": "10000"},
    ),
    "idor": Suite(
        "somebody else's id looks like a missing one",
        (
            "tests/chat/test_access.py",
            "tests/chat/test_strangers_ids.py",
            "tests/chat/admin/test_row_ids.py",
            "tests/chat/api",
        ),
    ),
}


def main() -> int:
    """Run the rows that were asked for; the exit status says whether all held."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the generated attacks")
    parser.add_argument("--folder", type=Path, help="files to upload as well")
    parser.add_argument("--only", nargs="*", help="names of rows")
    given = parser.parse_args()
    began = monotonic()
    figures = []
    for name, attack in _rows(given.seed, given.share, given.folder).items():
        if not given.only or name in given.only:
            figures.append(_measure(name, attack))
            _say(table(figures[-1:]).splitlines()[-1], to=sys.stderr)
    _say(table(figures, of="attack"))
    facts = {"seed": given.seed, "share": given.share, "took_s": round(monotonic() - began)}
    _say(summary(figures, **facts))
    return 0 if all(each.is_reached for each in figures) else 1


def _rows(seed: int, share: float, folder: Path | None) -> dict[str, Callable[[], Figure]]:
    """List every row of the table, in the order in which they run."""

    def pictures() -> Figure:
        mutations = max(1, round(MUTATIONS * share))
        with tempfile.TemporaryDirectory() as data, running_target(Path(data)) as target:
            return uploads.corpus(target, seed=seed, mutations=mutations)

    def files() -> Figure:
        assert folder is not None
        with tempfile.TemporaryDirectory() as data, running_target(Path(data)) as target:
            return uploads.folder(target, folder)

    return {
        "pictures": pictures,
        **({"folder": files} if folder else {}),
        **{
            name: lambda name=name, suite=suite: suites.run(name, suite)  # type: ignore[misc]
            for name, suite in SUITES.items()
        },
    }


def _measure(name: str, attack: Callable[[], Figure]) -> Figure:
    """Run one row; one that breaks is a row too, and the others still run."""
    try:
        return attack()
    except Exception as error:  # noqa: BLE001 - the table tells of it
        traceback.print_exc()
        return Figure(name, "", 0, {}, [f"{type(error).__name__}: {error}"])


def _say(text: str, to: TextIO | None = None) -> None:
    print(text, file=to, flush=True)


if __name__ == "__main__":
    sys.exit(main())
