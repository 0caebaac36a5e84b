"""CommonMark's own examples: docs/markdown.md lists what we read differently, and no more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

import pytest

from chat.rendering import build_markdown
from tests.contract.documents import ROOT, read, rows

SPECIFICATION = ROOT / "tests/js/node_modules/commonmark-spec/spec.txt"
_EXAMPLE = re.compile(
    r"^`{32} example\n(.*?)^\.\n(.*?)^`{32}$|^#{1,6} *(.*?)$", re.DOTALL | re.MULTILINE
)
_FENCE = re.compile(r'<pre><code(?: class="language-([^"]*)")?>')
_OUR_FENCE = re.compile(
    r'<pre class="md-code" dir="ltr" tabindex="0" data-language="([^"]*)"><code>'
)
_IMAGE = re.compile(r'<img src="([^"]*)" alt="([^"]*)"(?: title="[^"]*")? />')
_LANGUAGE = re.compile(r"[a-z0-9][a-z0-9+#._-]{0,29}")


@dataclass(frozen=True, slots=True)
class Example:
    """One example of the specification, with `→` for a tab as it is printed there."""

    number: int
    section: str
    markdown: str
    html: str


def examples() -> list[Example]:
    """Read them all."""
    text = SPECIFICATION.read_text(encoding="utf-8").partition("<!-- END TESTS -->")[0]
    found: list[Example] = []
    section = ""
    for markdown, html, heading in _EXAMPLE.findall(text.replace("→", "\t")):
        if heading:
            section = heading
        else:
            found.append(Example(len(found) + 1, section, markdown, html))
    return found


def expected(html: str) -> str:
    """Write the specification's HTML as ours: what differs everywhere is said in the document."""
    html = _FENCE.sub(lambda found: f"<pre {_language(found[1])}>", html)
    html = re.sub(r"(</?h)(\d)", lambda h: f"{h[1]}{min(int(h[2]) + 2, 6)}", html)
    # Within a link only the words of a picture are left.
    html = re.sub(r"<a .*?</a>", lambda link: _IMAGE.sub(r"\2", link[0]), html, flags=re.DOTALL)
    html = _IMAGE.sub(_as_link, html)
    return _canonical(html)


def ours(markdown: str) -> str:
    """Render, with every address allowed: the examples' own are relative."""
    parser = build_markdown()
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    html = _OUR_FENCE.sub(r"<pre \1>", parser.render(markdown))
    html = re.sub(r'<span class="(?:hl-\w+|md-destination)">(?: \(.*?\)(?=</span>))?', "", html)
    return _canonical(html.replace("</span>", ""))


def _language(info: str | None) -> str:
    word = _LANGUAGE.fullmatch((info or "").lower())
    return word[0] if word else "text"


def _as_link(image: re.Match[str]) -> str:
    source, words = image[1], image[2]
    return f'<a href="{source}">{words or source}</a>' if source else escape(words)


def _canonical(html: str) -> str:
    html = re.sub(r' (?:dir="auto"|title="[^"]*")', "", html)
    html = html.replace("<hr />", "<hr>").replace("</code></pre>", "</pre>")
    html = re.sub(r"<br ?/?>\n?", "\n", html)
    return re.sub(r"\s*(</?(?:p|li|ul|ol|blockquote|h\d|hr|pre)\b[^>]*>)\s*", r"\1", html).strip()


def differences() -> dict[int, str]:
    """Give the numbers that the document lists, with the reason of each."""
    return {
        int(number): reason
        for reason, numbers in (row for row in rows(read("docs/markdown.md")) if len(row) == 2)
        for number in re.findall(r"\d+", numbers)
    }


EXAMPLES = examples()
DIFFERENT = differences()


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(each, id=f"{each.section}-{each.number}")
        for each in EXAMPLES
        if each.number not in DIFFERENT
    ],
)
def test_an_example_is_read_as_commonmark_says(example: Example) -> None:
    assert ours(example.markdown) == expected(example.html)


@pytest.mark.parametrize("number", DIFFERENT)
def test_a_difference_that_is_listed_is_one(number: int) -> None:
    example = EXAMPLES[number - 1]

    assert ours(example.markdown) != expected(example.html)


def test_the_examples_were_found() -> None:
    assert len(EXAMPLES) == 652
