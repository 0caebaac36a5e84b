"""Code blocks: highlighted by classes for the languages we know, plain for all others."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from markdown_it.common.utils import unescapeAll
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

# Lexers are regular expressions, most of them quadratic on some input and a few worse. So code
# stays plain, with its label, when it is long, when the text has had much code already, when one
# character runs on and on (blank lines take C's lexer minutes), or when its language is not one
# of these, which a test times on hostile input (C# and make failed it).
MAX_HIGHLIGHTED_CHARS = 6_000
MAX_HIGHLIGHTED_CHARS_IN_ALL = 30_000
_LONG_RUN = re.compile(r"(.)\1{119}", re.DOTALL)
# fmt: off
LANGUAGES = frozenset({
    "bash", "c", "c++", "cpp", "css", "dart", "diff", "docker",
    "dockerfile", "go", "graphql", "haskell", "html", "ini", "java", "javascript",
    "js", "json", "jsx", "julia", "kotlin", "latex", "lua", "markdown",
    "md", "objective-c", "perl", "php", "powershell", "py", "python", "r",
    "rb", "rs", "ruby", "rust", "scala", "scss", "sh", "shell",
    "sql", "swift", "tex", "toml", "ts", "tsx", "typescript", "xml",
    "yaml", "yml", "zsh",
})
# fmt: on
PLAIN = "text"
_WORD = re.compile(r"[a-z0-9][a-z0-9+#._-]{0,29}")
_FORMATTER = HtmlFormatter(nowrap=True, classprefix="hl-")


def add_code(markdown: MarkdownIt) -> None:
    """Render fences and indented code through `code_block`."""
    markdown.add_render_rule("fence", _render_fence)
    markdown.add_render_rule("code_block", _render_fence)


def code_block(code: str, language: str = PLAIN, *, is_highlighted: bool = False) -> str:
    """Give a `<pre>` whose `data-language` lets the page add a label and a copy button."""
    html = highlighted(code, language) if is_highlighted else escape(code)
    return (
        f'<pre class="md-code" dir="ltr" tabindex="0" data-language="{escape(language)}">'
        f"<code>{html}</code></pre>\n"
    )


def highlighted(code: str, language: str) -> str:
    """Give the code as HTML with token classes, or escaped only."""
    is_long = len(code) > MAX_HIGHLIGHTED_CHARS or _LONG_RUN.search(code)
    if is_long or language not in LANGUAGES:
        return escape(code)
    # Without these options Pygments would strip blank lines from the code people copy.
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    html: str = highlight(code, lexer, _FORMATTER)
    return html


def _render_fence(
    self: object, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    code = tokens[index].content
    words = unescapeAll(tokens[index].info).lower().split(maxsplit=1)
    word = _WORD.fullmatch(words[0]) if words else None
    env["code_chars"] = env.get("code_chars", 0) + len(code)
    return code_block(
        code,
        word.group() if word else PLAIN,
        is_highlighted=env["code_chars"] <= MAX_HIGHLIGHTED_CHARS_IN_ALL,
    )
