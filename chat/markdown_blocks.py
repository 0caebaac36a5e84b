r"""Which blocks of a growing text are complete: no further text can change them.

Knows no HTML. Reads with the renderer's own block parser, so that both always agree on where a
block ends. A line counts once its end is there, or as soon as it can be nothing but text; the last
block counts once its own end is seen (a closing fence, a blank line); the others, once the block
that ends them is there.

What reaches across blocks: `\begin{align}` waits for its `\end` over blank lines, so nothing behind
an open one is complete; `$$` and `\[` wait up to the next blank line. A link's definition far from
its use cannot be waited for: the whole text, rendered at its end, is what counts then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mdit_py_plugins.amsmath import RE_OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

ENDED_BY_THEMSELVES = frozenset({"heading_open", "hr", "math_block"})
ENDED_BY_A_BLANK_LINE = frozenset({"paragraph_open", "table_open", "blockquote_open"})
# What stands in these is nothing but what it is.
_LITERAL = frozenset({"fence", "code_block", "math_block", "amsmath"})
_LINE_END = re.compile(r"\r\n|\r|\n")
# Whatever follows, it begins no list, fence, heading or rule: a paragraph ends a list at once.
_TEXT = re.compile(r" {0,3}\*{0,3}[^\W\d_]")
_BLOCK_MATH = re.compile(r"\$\$|\\\[")
_ENVIRONMENT = re.compile(rf"[ \t>*+\-\d.)]*{RE_OPEN}")


@dataclass(frozen=True, slots=True)
class _Block:
    """A block at the outer level: its token's type, its lines from `first` up to `end`."""

    kind: str
    first: int
    end: int
    fence: str


def complete_chars(markdown: MarkdownIt, text: str) -> int:
    r"""Count the characters of the complete blocks that a text begins with.

    `text` begins where a block does, and may have line ends of any kind. Blank lines after a block
    belong to it. Cost: one pass of the block parser.
    """
    text = text.removesuffix("\r")  # it may be half of `\r\n`
    ends = [found.end() for found in _LINE_END.finditer(text)]
    *lines, being_written = _LINE_END.split(text)
    if _TEXT.match(being_written):
        lines.append(being_written)
    count = _complete_lines(markdown, lines, whole=len(ends))
    return ends[count - 1] if count else 0


def _complete_lines(markdown: MarkdownIt, lines: Sequence[str], *, whole: int) -> int:
    """Count the lines of complete blocks; only the last line may not be a `whole` one."""
    tokens: list[Token] = []
    source = "\n".join(lines).replace("\x00", "\ufffd")
    markdown.block.parse(source, markdown, {}, tokens)
    blocks = list(_blocks_of(tokens))
    ends = [block.first for block in blocks[1:]]
    ends += [_end_of(last, lines) if last.end <= whole else 0 for last in blocks[-1:]]
    complete, is_in_math = 0, False
    for block, end in zip(blocks, ends, strict=True):
        if _has_open_environment(block, lines):
            break
        is_fresh = block.first == complete or _is_blank(lines[block.first - 1])
        is_in_math = (is_in_math and not is_fresh) or _may_open_math(block, lines)
        if end and not (is_in_math and not _is_blank(lines[end - 1])):
            complete, is_in_math = end, False
    return complete


def _blocks_of(tokens: Sequence[Token]) -> Iterator[_Block]:
    for token in tokens:
        if token.level == 0 and token.nesting >= 0 and token.map:
            first, end = token.map
            yield _Block(token.type, first, end, token.markup)


def _end_of(block: _Block, lines: Sequence[str]) -> int:
    """Give the line behind the last block and its blank lines; 0 while it may go on."""
    end = block.end
    while end < len(lines) and _is_blank(lines[end]):
        end += 1
    is_followed_by_blank = _is_blank(lines[end - 1])
    has_ended = (
        (block.kind in ENDED_BY_THEMSELVES and not _may_head_a_table(block, lines))
        or (block.kind in ENDED_BY_A_BLANK_LINE and is_followed_by_blank)
        or (block.kind == "fence" and _is_closed_fence(block, lines))
    )
    return end if has_ended else 0


def _may_head_a_table(block: _Block, lines: Sequence[str]) -> bool:
    """Say whether the next line can still make a table of it: `# a | b`, then `--|--`."""
    return block.first == len(lines) - 1 and "|" in lines[block.first]


def _is_closed_fence(block: _Block, lines: Sequence[str]) -> bool:
    mark = re.escape(block.fence[0])
    closing = rf" {{0,3}}{mark}{{{len(block.fence)},}}[ \t]*"
    is_more_than_its_head = block.end - block.first > 1
    return is_more_than_its_head and re.fullmatch(closing, lines[block.end - 1]) is not None


def _has_open_environment(block: _Block, lines: Sequence[str]) -> bool:
    if block.kind in _LITERAL:
        return False
    for number in range(block.first, block.end):
        found = _ENVIRONMENT.match(lines[number])
        if found:
            closing = rf"\end{{{found[1]}{found[2]}}}"
            if not any(line.rstrip().endswith(closing) for line in lines[number:]):
                return True
    return False


def _may_open_math(block: _Block, lines: Sequence[str]) -> bool:
    if block.kind in _LITERAL:
        return False
    return any(_BLOCK_MATH.search(line) for line in lines[block.first : block.end])


def _is_blank(line: str) -> bool:
    return not line.strip(" \t")
