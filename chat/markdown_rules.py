"""How chat differs from plain CommonMark: rules for markdown-it, each a few lines.

Emphasis works beside Chinese, Japanese and Korean text; images become links; task items get a
box; headings start below the page's own; every block takes its direction from its text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline.state_inline import Scanned, StateInline
from markdown_it.token import Token

from chat.markdown_links import add_links, with_destinations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.utils import EnvType

# The page owns h1 and h2.
HEADING_SHIFT = 2
# A block of inline text costs at most about (characters × openers) steps; a whole text may spend
# this many, 20,000,000 being about 0.4 s. What comes after it is shown as it was written.
MAX_INLINE_WORK = 20_000_000
_OPENERS = re.compile(r"[\[\]`*_~$&!\\<]")
TASK_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}
# What holds text. What holds blocks has no direction of its own: each of these has one, and a
# browser would look through all of them in vain for each that is added (0.3 s for 850 rows).
_DIRECTED = frozenset(
    f"{block}_open"
    for block in (
        "paragraph",
        "heading",
        "list_item",
        "th",
        "td",
    )
)


def add_rules(markdown: MarkdownIt) -> None:
    """Install these rules; call first, since it replaces the inline parser."""
    markdown.inline = _InlineParser()
    markdown.configure("commonmark", options_update=markdown.options)
    markdown.core.ruler.push("chat", _adapt_tokens)
    add_links(markdown)
    markdown.add_render_rule("table_open", _open_table)
    markdown.add_render_rule("table_close", _close_table)


class _InlineState(StateInline):
    """Decides which `*` and `~` open and close emphasis."""

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        """Treat wide characters as letters and punctuation at once.

        CommonMark leaves `**重点：**内容` literal, because a closing `**` after punctuation must be
        followed by a space, which Chinese does not write; Qwen writes it all the time.
        Source: the markdown-cjk-friendly rules.
        """
        scanned = super().scanDelims(start, canSplitWord)
        end = start + scanned.length
        before = self.src[start - 1] if start else " "
        after = self.src[end] if end < self.posMax else " "
        if canSplitWord and (_is_wide(before) or _is_wide(after)):
            return Scanned(not after.isspace(), not before.isspace(), scanned.length)
        return scanned


class _InlineParser(ParserInline):
    """The stock parser with our state and a budget."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """Turn the text of one block into inline tokens."""
        env["work"] = env.get("work", 0) + len(src) * len(_OPENERS.findall(src))
        if env["work"] > MAX_INLINE_WORK:
            tokens.append(Token("text", "", 0, content=src))
            return tokens
        state = _InlineState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in ("W", "F", "H")


def _adapt_tokens(state: StateCore) -> None:
    """Change headings, alignment, directions, task items and images in the token list."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + HEADING_SHIFT, 6)}"
        if token.type in _DIRECTED:
            token.attrSet("dir", "auto")
        if token.type in ("th_open", "td_open"):
            _align_by_class(token)
        if token.children:
            children = list(_without_images(token.children))
            token.children = list(with_destinations(children))
    _mark_tasks(state.tokens)


def _align_by_class(token: Token) -> None:
    style = str(token.attrs.pop("style", ""))  # `text-align:right`; the CSP forbids style
    if style:
        token.attrSet("class", f"md-align-{style.rpartition(':')[2]}")


def _without_images(children: Sequence[Token]) -> Iterator[Token]:
    """Give a link in place of each image, or its words alone where a link is already open.

    A picture would tell its server who reads the answer, and when.
    """
    is_in_link = False
    for token in children:
        if token.type in ("link_open", "link_close"):
            is_in_link = token.type == "link_open"
        if token.type != "image":
            yield token
            continue
        source = str(token.attrs.get("src", ""))
        words = Token("text", "", 0, content=_words_of(token) or source)
        if is_in_link or not source:
            yield words
        else:
            yield Token("link_open", "a", 1, attrs={"href": source})
            yield words
            yield Token("link_close", "a", -1)


def _words_of(image: Token) -> str:
    """Give the words that stand for an image, without their markup."""
    parts = (
        _words_of(child) if child.type == "image" else child.content or " " * (child.tag == "br")
        for child in image.children or ()
    )
    return "".join(parts)


def _mark_tasks(tokens: Sequence[Token]) -> None:
    for item, _paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type != "list_item_open" or inline.type != "inline" or not inline.children:
            continue
        first = inline.children[0]
        box = TASK_BOXES.get(first.content[:4])
        if first.type == "text" and box:
            first.content = box + first.content[4:]
            item.attrSet("class", "md-task")


def _open_table(self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    """Wrap tables, so that a wide one scrolls by itself, by keyboard too."""
    return '<div class="md-table" tabindex="0"><table>\n'


def _close_table(self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    return "</table></div>\n"
