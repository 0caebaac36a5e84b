"""Speculation with and without: asks `measure_drafts`, in a process of its own.

It ends with a line of JSON that has `repetitive` and `prose`: tokens a second with drafts ÷ those
without, of runs in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MODULE: Final = "inference.bench.measure_drafts"
NAMES: Final = ("repetitive", "prose")
DEADLINE_S: Final = 1200.0


class DraftsMissingError(Exception):
    """Drafts cannot be measured; the text says why."""


def measure_drafts(
    model: Path,
    threads: int,
    packed_cache: Path,
    *,
    rounds: int,
    tokens: int,
    module: str = MODULE,
) -> Mapping[str, float]:
    """Return the ratios of `NAMES`, each text of `tokens` written in `rounds`; takes minutes.

    Raises:
        DraftsMissingError: the module failed or said something else.
    """
    command = [
        *(sys.executable, "-m", module, "--model", str(model), "--threads", str(threads)),
        *("--packed-cache", str(packed_cache)),
        *("--rounds", str(rounds), "--tokens", str(tokens)),
    ]
    try:
        done = subprocess.run(  # noqa: S603  # our own command
            command, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        if done.returncode:
            raise DraftsMissingError(f"{module} failed: {done.stderr.strip()[-300:]}")
        figures = json.loads(done.stdout.splitlines()[-1])
        return {name: float(figures[name]) for name in NAMES}
    except subprocess.TimeoutExpired as error:
        raise DraftsMissingError(f"{module} took more than {DEADLINE_S:.0f} s") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DraftsMissingError(f"{module} did not say {' and '.join(NAMES)}") from error
