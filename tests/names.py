"""Names for people: tests share a server, people share no account, also where a test runs again."""

from __future__ import annotations

import collections
import itertools

_numbers: collections.defaultdict[str, itertools.count[int]] = collections.defaultdict(
    lambda: itertools.count(1)
)


def new_name(name: str) -> str:
    """Give a name that nobody had in this process: `alice` becomes `alice1`, then `alice2`."""
    return f"{name}{next(_numbers[name])}"
