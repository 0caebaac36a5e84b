"""The renderer under attack: markup that must not run, and text that must not cost too much."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.html_allowlist import BLOCKS, INLINES, LINK_REL, MATH, clean
from chat.markdown_code import LANGUAGES, MAX_HIGHLIGHTED_CHARS, highlighted
from chat.rendering import MAX_CHARS, render

FORBIDDEN_ATTRIBUTES = {"style", "id", "src", "srcset", "action", "formaction", "xlink:href"}


class Inspector(HTMLParser):
    """Reads HTML as a browser would start to, and fails on what should not be there."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in BLOCKS | INLINES | MATH, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in FORBIDDEN_ATTRIBUTES, name
            assert "script:" not in (value or "").lower(), value
        if tag == "a":
            link = dict(attrs)
            href = link.get("href", "https://")
            assert (href or "").lower().startswith(("https://", "http://", "mailto:"))
            assert link["rel"] == LINK_REL
            assert link["target"] == "_blank"

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(f"a declaration: {decl}")


def assert_harmless(html: str) -> None:
    inspector = Inspector()
    inspector.feed(html)
    inspector.close()


RAW_HTML = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img src='x' onerror = 'alert(1)'/>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table>",
    "<math><annotation-xml encoding='text/html'><script>alert(1)</script></annotation-xml></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<p style='background:url(https://evil.example)'>x</p>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<input autofocus onfocus=alert(1)>",
    "<body onload=alert(1)>",
    "<!--<img src='--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>",
    "<template><script>alert(1)</script></template>",
    "<div id=main name=forms>clobber</div>",
    "<x onclick=alert(1) tabindex=1>x</x>",
]
HOLDERS = {
    "bare": "{}",
    "paragraph": "before {} after",
    "emphasis": "**{}**",
    "heading": "# {}",
    "quote": "> {}",
    "list": "- {}",
    "table": "| a |\n|---|\n| {} |",
    "code-span": "`{}`",
    "fence": "```html\n{}\n```",
    "fence-label": "```{}\nx\n```",
    "link-words": "[{}](https://b.example)",
    "link-title": "[a](https://b.example '{}')",
    "image-words": "![{}](https://b.example)",
    "tex": "${}$",
    "tex-text": r"$\text{{{}}}$",
    "tex-block": "$$\n{}\n$$",
    "reference": "[a]: https://b.example '{}'\n\n[a]",
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("payload", RAW_HTML)
def test_raw_html_never_becomes_markup(payload: str, holder: str) -> None:
    assert_harmless(render(holder.format(payload)))


@pytest.mark.parametrize("payload", RAW_HTML)
def test_the_allow_list_alone_lets_nothing_through(payload: str) -> None:
    assert_harmless(clean(payload))


def test_raw_html_is_shown_as_written() -> None:
    assert render("<b>x</b>") == '<p dir="auto">&lt;b&gt;x&lt;/b&gt;</p>\n'


@pytest.mark.parametrize(
    "holder", ["[a]({})", "![a]({})", "<{}>", "[a][b]\n\n[b]: {}", "[a](<{}>)"]
)
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "javascript&colon;alert(1)",
        "&#106;avascript:alert(1)",
        "javascript%3Aalert(1)",
        "\x01javascript:alert(1)",
        "java\nscript:alert(1)",
        "vbscript:x",
        "data:text/html,<script>alert(1)</script>",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        "blob:https://b.example/x",
        "//evil.example",
        "/admin/",
        "?x",
        "#x",
        "https:evil",
        "view-source:https://b.example",
    ],
)  # fmt: skip
def test_links_lead_to_the_web_or_to_mail_only(url: str, holder: str) -> None:
    html = render(holder.format(url))

    assert "<a " not in html


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\href{https://evil.example}{x}",
        r"\style{position:fixed;inset:0}{x}",
        r"\class{evil hl-k}{x}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
        r"\mathrm{</math><script>alert(1)</script>}",
        r"\color{red;x}y",
        r"\operatorname{<script>}",
        r"\rule{9999em}{9999em}",
        r"\hspace{99999em}x",
        r"\unicode{x3c}script",
    ],
)
def test_tex_commands_add_no_links_styles_or_giant_boxes(tex: str) -> None:
    html = render(f"${tex}$")

    assert_harmless(html)
    assert "href" not in html.replace(r"\href", "")
    assert "class=" not in html.replace('class="md-tex"', "")
    assert "999em" not in html.partition("<code")[0]


PIECES = st.sampled_from(
    [
        *RAW_HTML,
        *"[]()!*_~`$\\<>|&#-+:\"' \n\t",
        *("\n\n", "```", "$$", r"\(", r"\)", r"\[", r"\]", "`` ", "- [ ] ", "|-|", "1. ", "    "),
        *(r"\text{", r"\href{", r"\begin{align}", r"\end{align}"),
        *(
            "javascript:",
            "https://b.example",
            "&lt;",
            "&#x3c;",
            "\x00",
            "\u202e",
            "中",
            "\ud83d",
            "a",
        ),
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=300))
@settings(max_examples=400, deadline=None)
def test_no_text_becomes_dangerous_or_fails(text: str) -> None:
    assert_harmless(render(text))


HOSTILE = {
    "brackets": "[", "bangs": "![", "half-links": "[a](", "nested-images": "![[]()",
    "backticks": "`", "ragged-backticks": "a `b ``c ```d ", "stars": "**a ", "mixed": "*_~",
    "half-tags": "<a ", "comments": "<!--", "quotes": "> ", "lists": "- ", "items": "- a\n",
    "fences": "```x\n\n", "dollars": "$a ", "dollar-lines": "$$a\n", "tex": r"\(",
    "tex-lines": "\\[\n",
    "environments": "\\begin{align}\n\n", "powers": "$x^{x^{", "formulas": "$x$ ",
    "backslashes": "\\",
    "entities": "&", "pipes": "|", "references": "[a]: http://b\n", "headings": "# a\n",
    "spaces": " ", "newlines": "\n", "chinese": "**中", "quoted-lists": ">- ", "nul": "\x00",
    "wide-table": "|" + "a|" * 400 + "\n|" + "-|" * 400 + "\n" + "a\n" * 2000,
    "many-tables": "|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n" + "a\n" * 100 + "\n",
    "paragraphs-of-brackets": "[" * 2000 + "\n\n",
    "paragraphs-of-bangs": "![" * 1000 + "\n\n",
    "c-blank-lines": "```c\n" + "\n" * 5000 + "```\n",
    "c-slashes": "```c\n" + "/ " * 2900 + "\n```\n",
    "java-lines": "```java\n" + ("\n" * 100 + "a") * 50 + "\n```\n",
}  # fmt: skip


@pytest.mark.parametrize("shape", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_costs_little(shape: str) -> None:
    text = (shape * (MAX_CHARS // len(shape) + 1))[:MAX_CHARS]
    started = time.process_time()

    html = render(text)

    # The usual cost is 0.1 to 2 s for these 100,000 characters; quadratic is minutes.
    assert time.process_time() - started < 10
    assert len(html) < 30 * MAX_CHARS


def test_text_beyond_the_limit_is_plain() -> None:
    html = render("**a**" * MAX_CHARS)

    assert html.startswith('<p class="md-plain" dir="auto">**a****a**')


CODE_SHAPES = [*"\"'\\([{</#$a.=-@%*_|&^~!?;0\n \t", "a ", "a\n ", "/*", '"""', '"\\', "<a ", "{{"]


@pytest.mark.slow
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_hostile_code_costs_little(language: str) -> None:
    for shape in CODE_SHAPES:
        code = (shape * MAX_HIGHLIGHTED_CHARS)[:MAX_HIGHLIGHTED_CHARS]
        started = time.process_time()

        highlighted(code, language)

        assert time.process_time() - started < 3, (language, shape)
