"""The blocks of a growing text: each rendered once it is complete, as in the whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat import rendering
from chat.rendering import MAX_MATH_BLOCKS, render, render_complete

ANSWER = """There are **three shapes**:
one of them is red.

| Place | Shape |
|---|---|
| left | circle |

$$A = \\pi r^2$$

```python
import math

area = math.pi
```

1. First
2. second

   - [x] inner

Setext
======
\\[
x
- y
\\]

> quoted

***
The end."""
# What makes, ends or reaches over blocks, and what only seems to. No brackets: a link's definition
# is the one thing that a part cannot know of another.
PIECES = (
    *("a", "b c", "**x**", "a|b\n-|-\n", "-|-\n", "|", "\n", "\n\n", " ", "  ", "    ", "\t"),
    *("- ", "+ ", "1. ", "2. ", "10) ", "> ", "# ", "## h\n", "---\n", "***\n", "===\n", "`", "\\"),
    *("```\n", "```py\n", "~~~\n", "````\n", "$$\n", "$$", "$$x$$\n", "\\[\n", "\\]\n", "\\[x\\]"),
    *("\\begin{align}\n", "\\end{align}\n", "\\begin{matrix}", "\r\n", "\r", "\xa0", "\u3000"),
    *("\x0b", "\x00", "\ud800", "\x85", "<b>", "& "),
)
markdowns = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def ends_of(text: str) -> tuple[list[int], str]:
    """Write a text character by character; give where its blocks ended, and all of its HTML."""
    ends, html = [0], ""
    for length in range(len(text) + 1):
        chars, part = render_complete(text[ends[-1] : length])
        html += part
        if chars:
            ends.append(ends[-1] + chars)
    return ends[1:], html + render(text[ends[-1] :])


def parts_of(text: str) -> list[str]:
    """Cut a text where its blocks ended while it was written."""
    ends, _ = ends_of(text)
    return [text[first:end] for first, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@given(markdowns)
@settings(max_examples=200, deadline=None)
def test_what_is_rendered_block_by_block_is_what_the_whole_becomes(text: str) -> None:
    _, html = ends_of(text)

    assert html == render(text)


def test_an_answer_with_everything_comes_in_as_many_parts_as_it_has_blocks() -> None:
    parts = parts_of(ANSWER)

    firsts = [part.strip().split("\n")[0] for part in parts]
    assert firsts == [
        "There are **three shapes**:",
        "| Place | Shape |",
        "$$A = \\pi r^2$$",
        "```python",
        "1. First",
        "Setext",
        "\\[",
        "> quoted",
        "***",
        "The end.",
    ]
    assert ends_of(ANSWER)[1] == render(ANSWER)


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        pytest.param("a", "", id="a-line-being-written"),
        pytest.param("a\n", "", id="a-paragraph-that-may-go-on"),
        pytest.param("a\n\n", "a\n\n", id="a-paragraph-and-a-blank-line"),
        pytest.param("a\n \t\n", "a\n \t\n", id="a-line-of-blanks-is-blank"),
        pytest.param("a\n# b\nc", "a\n# b\n", id="a-heading-ends-a-paragraph-and-itself"),
        pytest.param("# a|b\n", "", id="a-heading-that-may-head-a-table"),
        pytest.param("# a|b\nc\n", "# a|b\n", id="a-heading-that-heads-none"),
        pytest.param("```\na\n\n", "", id="an-open-fence"),
        pytest.param("```\n", "", id="a-fence's-head"),
        pytest.param("```\na\n```", "", id="a-closing-fence-being-written"),
        pytest.param("```\na\n```\n", "```\na\n```\n", id="a-closed-fence"),
        pytest.param("````\na\n```\n", "", id="a-fence-shut-by-a-shorter-one"),
        pytest.param("- a\n\n", "", id="a-list-that-may-go-on"),
        pytest.param("- a\n\n  b\n", "", id="a-list-that-goes-on"),
        pytest.param("1. a\n\n2", "", id="a-number-being-written"),
        pytest.param("- a\n\n2 b\n", "- a\n\n", id="a-list-ended-by-a-paragraph"),
        pytest.param("- a\n\nb", "- a\n\n", id="a-list-ended-by-a-word"),
        pytest.param("- a\n\n**圆", "- a\n\n", id="a-list-ended-by-a-word-in-bold"),
        pytest.param("- a\n\n**", "", id="a-line-that-may-still-be-a-rule"),
        pytest.param("- a\n\n  b", "", id="a-list-that-goes-on-with-a-word"),
        pytest.param("- a\nb", "", id="an-item-that-goes-on-with-a-word"),
        pytest.param("$$\na\nb$$", "", id="mathematics-whose-last-line-may-go-on"),
        pytest.param("a|b\n-|-\nc|d\n", "", id="a-table-that-may-go-on"),
        pytest.param("a|b\n-|-\n\n", "a|b\n-|-\n\n", id="a-table-and-a-blank-line"),
        pytest.param("    a\n\n", "", id="indented-code-that-may-go-on"),
        pytest.param("\\[\na\n- b\n", "", id="open-mathematics-that-looks-like-a-list"),
        pytest.param("$$\na\n# b\n", "", id="open-mathematics-that-looks-like-a-heading"),
        pytest.param("\\[\na\n\nb\n\n", "\\[\na\n\nb\n\n", id="mathematics-ends-at-a-blank-line"),
        pytest.param("\\begin{align}\na\n\nb\n\n", "", id="an-open-environment"),
        pytest.param("c\n\n\\begin{align}\na\n\n", "c\n\n", id="before-an-open-environment"),
        pytest.param("```\n\\begin{align}\n```\n", "```\n\\begin{align}\n```\n", id="in-code"),
        pytest.param("a\r\n\r\nb\r\n", "a\r\n\r\n", id="windows-line-ends"),
        pytest.param("a\r\n\r", "", id="half-a-windows-line-end"),
        pytest.param("[a]: https://b.example\n\n", "", id="a-definition-alone"),
    ],
)
def test_a_block_is_complete_when_nothing_can_change_it(text: str, complete: str) -> None:
    chars, html = render_complete(text)

    assert text[:chars] == complete
    assert html == render(complete)


def test_a_link_defined_later_is_text_until_the_whole_is_rendered() -> None:
    text = "See [here].\n\n[here]: https://b.example\n\nThe end.\n\n"

    _, html = ends_of(text)

    assert '<p dir="auto">See [here].</p>' in html
    assert 'href="https://b.example"' in render(text)


def test_a_text_that_costs_too_much_is_not_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    assert render_complete("a\n\n" + "$$\n" * (MAX_MATH_BLOCKS + 1)) == (0, "")
    assert caplog.records == []


def test_a_parser_that_fails_leaves_the_text_as_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> int:
        raise IndexError

    monkeypatch.setattr(rendering, "complete_chars", fail)

    assert render_complete("secret\n\n") == (0, "")
    assert "8 characters" in caplog.text
    assert "secret" not in caplog.messages[0]


def test_markup_in_a_block_is_text_as_in_the_whole() -> None:
    _, html = render_complete('<img src=x onerror="alert(1)">\n\n[a](javascript:alert(1))\n\n')

    assert "<img" not in html
    assert "href" not in html
