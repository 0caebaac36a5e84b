r"""TeX mathematics to MathML: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and AMS environments.

What cannot be converted is shown as its source, as code. latex2mathml writes user text unescaped
(`\text{<img …>}`), so its elements are serialised here, escaped; the allow-list of
`chat.rendering` drops what `\href`, `\style` and `\class` would add.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import Converter
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from chat.markdown_code import code_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

MAX_TEX_CHARS = 4_000
MAX_TEX_DEPTH = 40
# Definitions can double themselves thirty times over; `\hspace` and friends are harmless.
_DEFINITION = re.compile(r"\\(?:re)?newcommand|\\[gex]?def|\\let\b|\\newenvironment|\*\{\d{3,}")
_CHARACTER_REFERENCES = re.compile(r"(?:[^&]|&#x[0-9A-Fa-f]{4,6};)*")
_CLOSERS = {r"\(": r"\)", r"\[": r"\]"}


def add_math(markdown: MarkdownIt) -> None:
    """Install the delimiters and the MathML output."""
    # `$5 and $6` are prices: no space inside, no digit beside the dollar signs.
    dollarmath_plugin(
        markdown,
        allow_labels=False,
        allow_space=False,
        allow_digits=False,
        allow_blank_lines=False,
        double_inline=True,
    )
    amsmath_plugin(markdown)
    markdown.inline.ruler.before("escape", "math_bracket", _bracket_rule)
    markdown.block.ruler.before(
        "fence", "math_bracket_block", _bracket_block_rule, {"alt": ["paragraph", "blockquote"]}
    )
    for name in ("math_inline", "math_inline_double", "math_block", "amsmath"):
        markdown.add_render_rule(name, _render_math)


def mathml(tex: str, *, is_block: bool) -> str | None:
    """Convert TeX to a `<math>` element, or give None where that is not possible."""
    if len(tex) > MAX_TEX_CHARS or _DEFINITION.search(tex) or _depth(tex) > MAX_TEX_DEPTH:
        return None
    try:
        root = Converter(display="block" if is_block else "inline").convert_to_element(tex)
    except Exception:  # noqa: BLE001  the parser's failures are IndexError, KeyError and many more
        return None
    del root.attrib["xmlns"]
    for element in root.iter():
        _decode_references(element)
    return tostring(root, encoding="unicode", short_empty_elements=False)


def _depth(tex: str) -> int:
    deepest = depth = 0
    for char in tex:
        depth += (char == "{") - (char == "}")
        deepest = max(deepest, depth)
    # `\sqrt\sqrt…` and `\left(\left(…` nest without braces.
    return max(deepest, tex.count(r"\left"), tex.count(r"\begin"), tex.count(r"\sqrt"))


def _decode_references(element: Element) -> None:
    """Turn the converter's own `&#x0002B;` into the character it stands for."""
    if element.text:
        element.text = html.unescape(element.text)
    for name, value in element.attrib.items():
        element.attrib[name] = html.unescape(value)


def _render_math(self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    token = tokens[index]
    tex, is_block = token.content.strip(), token.type != "math_inline"
    converted = mathml(tex, is_block=is_block)
    if token.block:
        if converted is None:
            return code_block(tex, "latex")
        return f'<div class="md-math" tabindex="0">{converted}</div>\n'
    return converted or f'<code class="md-tex">{html.escape(tex)}</code>'


def _bracket_rule(state: StateInline, silent: bool) -> bool:
    r"""Read `\(…\)` and `\[…\]` inside a paragraph."""
    opener = state.src[state.pos : state.pos + 2]
    closer = _CLOSERS.get(opener)
    if closer is None:
        return False
    end = state.src.find(closer, state.pos + 2, state.posMax)
    tex = state.src[state.pos + 2 : end]
    if end < 0 or not tex.strip():
        return False
    if not silent:
        kind = "math_inline" if opener == r"\(" else "math_inline_double"
        state.push(kind, "math", 0).content = tex
    state.pos = end + 2
    return True


def _bracket_block_rule(
    state: StateBlock,
    start_line: int,
    end_line: int,
    silent: bool,
) -> bool:
    r"""Read `\[` … `\]` over whole lines, before a `-` or `=` inside becomes a list or heading."""
    first = state.bMarks[start_line] + state.tShift[start_line]
    if state.src[first : first + 2] != r"\[" or state.is_code_block(start_line):
        return False
    for line in range(start_line, end_line):
        is_outside = state.sCount[line] < state.blkIndent
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()
        if is_outside or not text:
            return False
        if r"\]" in text[2 if line == start_line else 0 :]:
            break
    else:
        return False
    if not text.endswith(r"\]"):
        return False
    if not silent:
        token = state.push("math_block", "math", 0)
        token.block = True
        lines = state.getLines(start_line, line + 1, state.blkIndent, False).strip()
        token.content = lines.removeprefix(r"\[").removesuffix(r"\]")
        token.map = [start_line, line + 1]
    state.line = line + 1
    return True
