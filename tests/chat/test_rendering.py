"""What Markdown becomes: the constructs people and models write."""

from __future__ import annotations

import re

import pytest
from django.utils.safestring import SafeString

from chat import rendering
from chat.rendering import render

DESTINATION = '<span class="md-destination"> (b.example)</span>'


def flat(markdown: str) -> str:
    """Render and drop what only layout needs, so that expectations stay readable."""
    html = render(markdown).replace(' dir="auto"', "").replace("\n", "")
    return html.replace(' target="_blank" rel="noopener noreferrer nofollow ugc"', " …")


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        pytest.param("Hello", "<p>Hello</p>", id="paragraph"),
        pytest.param("one\ntwo", "<p>one<br>two</p>", id="line-break-kept"),
        pytest.param("one\r\ntwo", "<p>one<br>two</p>", id="windows-line-break"),
        pytest.param("a\n\nb", "<p>a</p><p>b</p>", id="two-paragraphs"),
        pytest.param(
            "**b** *i* ***x***",
            "<p><strong>b</strong> <em>i</em> <em><strong>x</strong></em></p>",
            id="emphasis",
        ),
        pytest.param("snake_case_name", "<p>snake_case_name</p>", id="underscores-in-words"),
        pytest.param("~~no~~", "<p><s>no</s></p>", id="strikethrough"),
        pytest.param("`a < b`", "<p><code>a &lt; b</code></p>", id="code-span"),
        pytest.param(r"\*not\*", "<p>*not*</p>", id="escapes"),
        pytest.param("&copy; &amp;", "<p>© &amp;</p>", id="entities"),
        pytest.param("# One", "<h3>One</h3>", id="headings-start-below-the-page"),
        pytest.param("###### Six", "<h6>Six</h6>", id="deepest-heading"),
        pytest.param("- a\n- b", "<ul><li>a</li><li>b</li></ul>", id="list"),
        pytest.param("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>', id="numbered-list"),
        pytest.param("- a\n  - b", "<ul><li>a<ul><li>b</li></ul></li></ul>", id="nested-list"),
        pytest.param("> q", "<blockquote><p>q</p></blockquote>", id="quote"),
        pytest.param("---", "<hr>", id="rule"),
        pytest.param(
            "- [ ] a\n- [x] b",
            '<ul><li class="md-task">☐ a</li><li class="md-task">☑ b</li></ul>',
            id="tasks",
        ),
        pytest.param("[ ] a", "<p>[ ] a</p>", id="box-outside-a-list"),
        pytest.param(
            "[a](https://b.example/c)",
            f'<p><a href="https://b.example/c" …>a{DESTINATION}</a></p>',
            id="link",
        ),
        pytest.param(
            "[a](https://b.example 'title')",
            f'<p><a href="https://b.example" …>a{DESTINATION}</a></p>',
            id="link-title-dropped",
        ),
        pytest.param(
            "<mailto:a@b.example>",
            '<p><a href="mailto:a@b.example" …>mailto:a@b.example</a></p>',
            id="mail-link",
        ),
        pytest.param(
            "![cat](https://b.example/c.png)",
            f'<p><a href="https://b.example/c.png" …>cat{DESTINATION}</a></p>',
            id="image-is-a-link",
        ),
        pytest.param(
            "[![cat](https://x.example/c.png)](https://b.example)",
            f'<p><a href="https://b.example" …>cat{DESTINATION}</a></p>',
            id="image-in-a-link",
        ),
        pytest.param(
            "![](https://b.example/c.png)",
            '<p><a href="https://b.example/c.png" …>https://b.example/c.png</a></p>',
            id="image-without-words",
        ),
        pytest.param("", "", id="nothing"),
        pytest.param("\x00", "<p>\ufffd</p>", id="nul"),
        pytest.param("a\ud800b", "<p>a\ufffdb</p>", id="lone-surrogate"),
    ],
)
def test_markdown_becomes(markdown: str, html: str) -> None:
    assert flat(markdown) == html


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        pytest.param("**重点：**内容", "<p><strong>重点：</strong>内容</p>", id="colon-inside"),
        pytest.param(
            "这是**“引用”**后", "<p>这是<strong>“引用”</strong>后</p>", id="quotes-inside"
        ),
        pytest.param("**（一）**文", "<p><strong>（一）</strong>文</p>", id="brackets-inside"),
        pytest.param(
            "これは**「重要」**です", "<p>これは<strong>「重要」</strong>です</p>", id="japanese"
        ),
        pytest.param("中~~文。~~字", "<p>中<s>文。</s>字</p>", id="strikethrough"),
        pytest.param("3 * 4 * 中", "<p>3 * 4 * 中</p>", id="stars-between-spaces"),
    ],
)
def test_emphasis_works_beside_chinese_punctuation(markdown: str, html: str) -> None:
    assert flat(markdown) == html


def test_blocks_take_their_direction_from_their_text() -> None:
    html = render("שלום\n\n- مرحبا\n\n```\ncode\n```")

    assert html.count('dir="auto"') == 2
    assert '<pre class="md-code" dir="ltr"' in html


@pytest.mark.parametrize("markdown", ["- a\n- b", "1. a\n2. b", "> a", "| a |\n|---|\n| b |"])
def test_what_holds_blocks_looks_for_no_direction_in_them(markdown: str) -> None:
    html = render(markdown)

    assert re.search(r"<(?:ul|ol|blockquote|table)>", html)
    assert re.search(r'<(?:li|p|td) dir="auto">', html)


def test_bidi_controls_change_neither_the_markup_nor_what_is_read() -> None:
    html = render("a \u202egnp.exe\u202c [x](https://b.example)")

    assert "a [U+202E]gnp.exe[U+202C] " in html
    assert 'href="https://b.example"' in html


def test_tables_align_by_class_and_scroll_by_themselves() -> None:
    html = flat("| a | b |\n|:--|--:|\n| 1 | 2 |")

    assert html.startswith('<div class="md-table" tabindex="0"><table><thead>')
    assert '<th class="md-align-left">a</th><th class="md-align-right">b</th>' in html
    assert '<td class="md-align-right">2</td>' in html


def test_known_code_is_highlighted_by_classes() -> None:
    html = render('```Python\nx = "<1>"\n```')

    assert 'data-language="python"' in html
    assert '<span class="hl-s2">"&lt;1&gt;"</span>' in html


@pytest.mark.parametrize(
    ("fence", "language"),
    [
        pytest.param("```\n<b>\n```", "text", id="no-language"),
        pytest.param("```brainf**k\n<b>\n```", "text", id="odd-name"),
        pytest.param("```cobol\n<b>\n```", "cobol", id="unknown-language"),
        pytest.param("```csharp\n<b>\n```", "csharp", id="language-left-plain"),
        pytest.param("    <b>", "text", id="indented"),
        pytest.param("```\n<b>\n", "text", id="fence-without-end"),
    ],
)
def test_other_code_is_plain(fence: str, language: str) -> None:
    html = render(fence)

    assert f'data-language="{language}"><code>&lt;b&gt;\n</code></pre>' in html


def test_copied_code_keeps_its_blank_lines() -> None:
    html = render("```text\n\n\na\n\n\n```")

    assert "<code>\n\na\n\n\n</code>" in html


@pytest.mark.parametrize(
    "markdown",
    [
        pytest.param("$x^2$", id="dollar"),
        pytest.param("so $x^2$.", id="dollar-in-a-sentence"),
        pytest.param(r"\(x^2\)", id="round-brackets"),
        pytest.param("$$x^2$$", id="double-dollar"),
        pytest.param("$$\nx^2\n$$", id="double-dollar-lines"),
        pytest.param(r"\[x^2\]", id="square-brackets"),
        pytest.param("\\[\nx^2\n\\]", id="square-bracket-lines"),
        pytest.param("- a\n\n  \\[\n  x^2\n  \\]", id="in-a-list"),
        pytest.param("\\begin{equation}\nx^2\n\\end{equation}", id="environment"),
        pytest.param("| a |\n|---|\n| $x^2$ |", id="in-a-table"),
    ],
)
def test_mathematics_becomes_mathml(markdown: str) -> None:
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in render(markdown)


def test_lines_of_display_mathematics_are_no_list() -> None:
    html = render("\\[\na\n- b\n= c\n\\]")

    assert html.startswith('<div class="md-math" tabindex="0"><math display="block">')
    assert "<ul" not in html


@pytest.mark.parametrize(
    "text",
    ["It costs $5 and $6.", r"\$x\$", "$ x $", r"\(", r"\[ x", r"\(\)", "$$", "`$x$`"],
)
def test_text_that_only_looks_like_mathematics_stays_text(text: str) -> None:
    assert "<math" not in render(text)


@pytest.mark.parametrize(
    "tex",
    [
        pytest.param(r"\frac", id="argument-missing"),
        pytest.param("x^", id="exponent-missing"),
        pytest.param("x_1_2", id="double-index"),
        pytest.param("{" * 60 + "x" + "}" * 60, id="too-deep"),
        pytest.param("x" * 5_000, id="too-long"),
        pytest.param(r"\newcommand{\a}{\a\a}\a", id="definition"),
        pytest.param(r"\begin{matrix}", id="environment-without-end"),
    ],
)
def test_broken_mathematics_is_shown_as_its_source(tex: str) -> None:
    html = render(f"${tex}$")

    assert html == f'<p dir="auto"><code class="md-tex">{tex}</code></p>\n'


def test_broken_display_mathematics_is_a_code_block() -> None:
    html = render("$$\n\\frac\n$$")

    assert 'data-language="latex"><code>\\frac</code></pre>' in html


def test_the_same_text_renders_the_same() -> None:
    text = "# a\n\n```python\nx = 1\n```\n\n$x$ **b** [c](https://d.example)"

    assert render(text) == render(text)
    assert isinstance(render(text), SafeString)


def test_a_failing_parser_leaves_plain_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(text: str) -> str:
        raise IndexError

    monkeypatch.setattr(rendering._MARKDOWN, "render", fail)

    html = render("secret <b>\nline")

    assert html == '<p class="md-plain" dir="auto">secret &lt;b&gt;<br>\nline</p>'
    assert "secret" not in caplog.messages[0]
