"""Markdown to safe HTML: the one renderer for live text, history, admin and export.

Knows no request, model or setting. Two independent defences: raw HTML never leaves the Markdown
parser as anything but text, and whatever does leave it passes an allow-list of elements,
attributes, classes and link schemes (`chat.html_allowlist`). A text that would cost too much, or
that the parser cannot take, comes back as plain text; `render` never raises.

Classes that a stylesheet can rely on: `md-…` for our own blocks, `hl-…` for Pygments tokens.
"""

from __future__ import annotations

import logging
import re
from html import escape

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from chat.html_allowlist import SAFE_LINK, clean
from chat.markdown_blocks import complete_chars
from chat.markdown_code import add_code
from chat.markdown_links import without_turning
from chat.markdown_math import add_math
from chat.markdown_rules import add_rules

log = logging.getLogger(__name__)

# Above the questions and answers of the default settings (8,000 characters, 1,024 tokens).
MAX_CHARS = 100_000
MAX_NESTING = 30
# Block mathematics without its end is looked for down to the last line, once for each start.
MAX_MATH_BLOCKS = 300
# A short row is filled up to the width of its table's head: 100 kB could become 70 MB.
MAX_TABLE_CELLS = 50_000

_SURROGATES = re.compile("[\ud800-\udfff]")  # not text: UTF-8 cannot hold them
_BLANK_LINES = re.compile(r"\n[ \t>]*\n")
_MATH_BLOCK = re.compile(r"^[ \t>]*(?:\$\$|\\\[|\\begin\{)", re.MULTILINE)


def render(text: str) -> SafeString:
    r"""Render Markdown as HTML that is safe to place in a page.

    CommonMark with tables, strikethrough, task lists, TeX mathematics (`$…$`, `$$…$$`, `\(…\)`,
    `\[…\]`, AMS environments) and single line breaks kept. Pure: the same text gives the same
    HTML. Cost: linear in the text, about 1 ms for a usual answer.
    """
    text = _normal(text)
    if not _is_affordable(text):
        return _plain(text)
    try:
        html = _MARKDOWN.render(text)
    except Exception:  # one odd answer must not take down history or the admin
        # The text is private, so the log gets its length only.
        log.exception("Markdown of %d characters could not be rendered", len(text))
        return _plain(text)
    return mark_safe(without_turning(clean(html)))  # noqa: S308  sanitised by the allow-list


def render_complete(text: str) -> tuple[int, SafeString]:
    """Render the blocks of a growing text that no further text can change.

    Gives how many characters they take, and their HTML. What comes after is rendered the same by
    another call that begins there: joined, it is what `render` makes of all of it, as long as no
    link is defined in one part and used in another. Never raises; cost as `render`, of the complete
    blocks, and one pass of the block parser over the rest.
    """
    if not _is_affordable(_normal(text)):
        return 0, SafeString()
    try:
        count = complete_chars(_MARKDOWN, text)
    except Exception:  # as above; what is not complete is shown as text
        log.exception("Blocks of %d characters could not be told apart", len(text))
        return 0, SafeString()
    return count, render(text[:count])


def _normal(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")


def _plain(text: str) -> SafeString:
    lines = escape(without_turning(text.replace("\x00", "\ufffd"))).replace("\n", "<br>\n")
    return mark_safe(f'<p class="md-plain" dir="auto">{lines}</p>')  # noqa: S308  escaped above


def _is_affordable(text: str) -> bool:
    """Refuse what makes the block parser slow; the inline parser has its own budget."""
    if len(text) > MAX_CHARS or len(_MATH_BLOCK.findall(text)) > MAX_MATH_BLOCKS:
        return False
    cells = 0
    for paragraph in _BLANK_LINES.split(text):
        lines = paragraph.split("\n")
        cells += len(lines) * max(line.count("|") for line in lines)
    return cells <= MAX_TABLE_CELLS


def _is_safe_link(url: str) -> bool:
    return SAFE_LINK.fullmatch(url) is not None


def build_markdown() -> MarkdownIt:
    """Give the parser alone; what it writes has not passed the allow-list."""
    options = {"html": False, "breaks": True, "maxNesting": MAX_NESTING}
    markdown = MarkdownIt("commonmark", options)
    add_rules(markdown)
    markdown.enable(["table", "strikethrough"])
    markdown.validateLink = _is_safe_link  # type: ignore[method-assign]
    add_math(markdown)
    add_code(markdown)
    return markdown


_MARKDOWN = build_markdown()
