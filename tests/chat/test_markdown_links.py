"""A link says where it leads, and nothing in it is hidden."""

from __future__ import annotations

import re

import pytest

from chat.rendering import render

_LINK = re.compile(r'<a href="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_DESTINATION = re.compile(r'<span class="md-destination"> \((.*?)\)</span>$')


def link(markdown: str) -> tuple[str, str, str | None]:
    """Give the only link: its address, its words, and the destination that is shown."""
    ((href, inside),) = _LINK.findall(render(markdown))
    shown = _DESTINATION.search(inside)
    return href, _DESTINATION.sub("", inside), shown and shown[1]


@pytest.mark.parametrize(
    ("markdown", "destination"),
    [
        pytest.param("[docs](https://b.example/a/b)", "b.example", id="words"),
        pytest.param("[docs](HTTPS://B.Example:8443/)", "b.example", id="upper-case-and-port"),
        pytest.param("[https://bank.example](https://b.example)", "b.example", id="another-url"),
        pytest.param("[bank.example](https://b.example)", "b.example", id="another-host"),
        pytest.param("[b.example.evil](https://b.example)", "b.example", id="a-longer-host"),
        pytest.param("[b.example or not](https://b.example)", "b.example", id="a-sentence"),
        pytest.param("[**b**.example](https://c.example)", "c.example", id="words-in-parts"),
        pytest.param("[`b.example`](https://c.example)", "c.example", id="code"),
        pytest.param("[](https://b.example)", "b.example", id="no-words"),
        pytest.param("[![](https://b.example/p.png)](https://c.example)", "c.example", id="image"),
        pytest.param("![cat](https://b.example/p.png)", "b.example", id="image-as-link"),
        pytest.param("[write](mailto:a@b.example?subject=x)", "a@b.example", id="mail"),
        pytest.param("[a@bank.example](mailto:a@b.example)", "a@b.example", id="other-mail"),
        pytest.param("[x](http://[::1]:80/)", "[::1]", id="ipv6"),
        pytest.param("[x](https://аpple.example)", "xn--pple-43d.example", id="lookalike"),
        pytest.param("<https://аpple.example>", "xn--pple-43d.example", id="lookalike-as-it-is"),
        pytest.param(
            f"[x](https://bank.example.{'a' * 60}.evil.example)",
            "…" + f"{'a' * 60}.evil.example"[-60:],
            id="the-end-of-a-long-one",
        ),
    ],
)
def test_a_link_shows_where_it_leads(markdown: str, destination: str) -> None:
    assert link(markdown)[2] == destination


@pytest.mark.parametrize(
    "markdown",
    [
        "<https://b.example/path?q#f>",
        "[https://b.example](https://b.example)",
        "[B.Example](https://b.example/more)",
        "[b.example/more](https://b.example/more)",
        "[a@b.example](mailto:a@b.example)",
        "<mailto:a@b.example>",
    ],
)
def test_words_that_are_the_address_are_enough(markdown: str) -> None:
    assert link(markdown)[2] is None


@pytest.mark.parametrize(
    "url",
    [
        "https://bank.example@evil.example",
        "https://bank.example:x@evil.example/",
        "https://bank.example\\@evil.example",
        "https://bank.example%2f.evil.example",
        "https://%65vil.example",
        "https:///evil.example",
        "https://",
        "https://evil.example:99999999/",
        "https://evil_{}.example",
        "https:evil.example",
    ],
)
def test_an_address_that_passes_for_another_is_no_link(url: str) -> None:
    assert "<a " not in render(f"[bank.example](<{url}>) and ![x](<{url}>)")


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        pytest.param("pay\u200bpal", "pay[U+200B]pal", id="zero-width-space"),
        pytest.param("pay\u2060pal\ufeff", "pay[U+2060]pal[U+FEFF]", id="joiners"),
        pytest.param("pay\u00adpal", "pay[U+00AD]pal", id="soft-hyphen"),
        pytest.param("pay\u200dpal", "pay[U+200D]pal", id="joiner-between-latin-letters"),
        pytest.param("pay&#8203;pal", "pay[U+200B]pal", id="as-entity"),
        pytest.param("a\u200fb\u200e", "a[U+200F]b[U+200E]", id="direction-marks"),
        pytest.param("\u202emoc.knab", "[U+202E]moc.knab", id="override"),
        pytest.param("\u2067a\u2069", "[U+2067]a[U+2069]", id="isolate"),
        pytest.param("x\U000e0041\U000e007f", "x[U+E0041][U+E007F]", id="tag-letters"),
        pytest.param("\u3164", "[U+3164]", id="filler"),
        pytest.param("`a\u200bb`", "<code>a[U+200B]b</code>", id="in-code"),
        pytest.param("می\u200cخواهم", "می\u200cخواهم", id="persian-needs-its-joiner"),
        pytest.param("👩\u200d💻", "👩\u200d💻", id="so-do-emoji"),
        pytest.param("文\u3000字", "文\u3000字", id="chinese-space"),
    ],
)
def test_what_nobody_sees_in_a_link_is_shown(hidden: str, shown: str) -> None:
    assert link(f"[{hidden}](https://b.example)")[1] == shown


@pytest.mark.parametrize("char", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
@pytest.mark.parametrize(
    "markdown",
    ["a{}b", "`a{}b`", "```\na{}b\n```", "```python\na{}b\n```", r"$\text{{a{}b}}$", "|a{}b|\n|-|"],
)
def test_what_turns_text_around_is_shown_everywhere(markdown: str, char: str) -> None:
    html = render(markdown.format(char))

    assert char not in html
    assert f"[U+{ord(char):04X}]" in html


@pytest.mark.parametrize("markdown", ["a&#x202e;b", "[a](https://b.example/\u202e)"])
def test_it_cannot_be_written_another_way(markdown: str) -> None:
    assert "\u202e" not in render(markdown)


def test_it_is_shown_in_text_that_is_too_long_to_render() -> None:
    html = render("\u202e" + "x" * 100_001)

    assert "\u202e" not in html
    assert html.startswith('<p class="md-plain" dir="auto">[U+202E]x')


def test_words_outside_links_keep_what_is_not_dangerous() -> None:
    text = "soft\u00adhyphen, می\u200cخواهم, \u200fשלום"

    assert text in render(text)
