"""Links that show where they lead, and text in which nothing is hidden.

A link is the only thing in an answer that can take a reader somewhere. So its host stands behind
its words unless the words are that address; a host in other letters is shown as the network knows
it (`xn--…`); and characters that nobody sees, or that turn text around, are shown by their numbers.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from markdown_it.token import Token

from chat.html_allowlist import SAFE_LINK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt

# A long host would put what matters, its end, out of sight.
MAX_SHOWN_CHARS = 60
# They turn the text around them, also in code: what is read is not what is written. Marks that
# only give a direction (U+200E, U+200F, U+061C) stay where there is no link.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Seen by nobody. The joiners (U+200C, U+200D) belong to Persian, Hindi and emoji, so
# not between letters of theirs.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\U000e0000-\U000e007f]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)


def add_links(markdown: MarkdownIt) -> None:
    """Install the rule that draws where a link leads."""
    markdown.add_render_rule("destination", _render_destination)


def without_turning(html: str) -> str:
    """Show every character that turns text around; `html` may be markup or plain."""
    return _TURNING.sub(_number, html)


def with_destinations(children: Sequence[Token]) -> Iterator[Token]:
    """Give the tokens of a block, with the destination behind the words of each link."""
    href, words = "", ""
    for token in children:
        if token.type == "link_open":
            href, words = str(token.attrs["href"]), ""
        elif token.type == "link_close":
            yield from _destination(href, words)
            href = ""
        elif href:
            token.content = _INVISIBLE.sub(_number, token.content)
            words += token.content
        yield token


def _destination(href: str, words: str) -> Iterator[Token]:
    where = _where(href)
    if not _is_said(words.strip().lower(), href.lower(), where):
        hidden = "" if len(where) <= MAX_SHOWN_CHARS else "…"
        yield Token("destination", "", 0, content=hidden + where[-MAX_SHOWN_CHARS:])


def _where(href: str) -> str:
    link = SAFE_LINK.fullmatch(href)
    if link is None or link["host"] is None:  # mail
        return href.partition(":")[2].partition("?")[0].lower()
    return link["host"].lower()


def _is_said(words: str, href: str, where: str) -> bool:
    """Say whether the words are this address, with or without its scheme."""
    said = words.removeprefix(href.partition(":")[0] + ":").removeprefix("//")
    rest = said.removeprefix(where)
    return said.startswith(where) and (not rest or rest[0] in "/?#:") and " " not in said


def _render_destination(self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    return f'<span class="md-destination"> ({escape(tokens[index].content)})</span>'


def _number(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"
