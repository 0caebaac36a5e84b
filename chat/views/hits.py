"""Where a text holds what was searched for: pieces to set off, and a snippet around the first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BEFORE_CHARS = 24  # about what stands before the hit on one line of the list
AFTER_CHARS = 90
_MARKS = re.compile(r"(?<!\w)[*_~]+|[*_~]+(?!\w)|^[#>\s]+|[`|]+|-{3,}", re.MULTILINE)


class Piece(NamedTuple):
    """A part of a text, and whether it is what was searched for."""

    text: str
    is_hit: bool


def pieces(text: str, query: str) -> tuple[Piece, ...]:
    """Cut a text at every place that holds the query, case aside; none is empty."""
    return tuple(_cut(text, query))


def snippet(text: str, query: str) -> tuple[Piece, ...]:
    """Give one line of text around the first place that holds the query; nothing if none does.

    Spaces and line breaks count as one space, in the query as well. The marks of Markdown are
    left out, unless it is they that were searched for.
    """
    query = " ".join(query.split())
    for read in (_MARKS.sub(" ", text), text) if query else ():
        line = " ".join(read.split())
        found = re.search(re.escape(query), line, re.IGNORECASE)
        if found is not None:
            return _around(line, found, query)
    return ()


def _around(line: str, found: re.Match[str], query: str) -> tuple[Piece, ...]:
    start = max(0, found.start() - BEFORE_CHARS)
    end = min(len(line), found.end() + AFTER_CHARS)
    if start:  # at a word, where one begins in sight
        start = line.find(" ", start, found.start()) + 1 or start
    shown = ("…" if start else "") + line[start:end] + ("…" if end < len(line) else "")
    return pieces(shown, query)


def _cut(text: str, query: str) -> Iterator[Piece]:
    at = 0
    for found in re.finditer(re.escape(query), text, re.IGNORECASE) if query else ():
        if found.start() > at:
            yield Piece(text[at : found.start()], is_hit=False)
        yield Piece(found.group(), is_hit=True)
        at = found.end()
    if at < len(text):
        yield Piece(text[at:], is_hit=False)
