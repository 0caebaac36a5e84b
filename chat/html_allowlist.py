"""The HTML that rendered text may consist of, and nothing else.

The second of two defences (see `chat.rendering`): it trusts nothing about what it is given. No
style, id, event or media; classes of our two prefixes only; links to the web and to mail only.
"""

from __future__ import annotations

import re

import nh3

# A host and nothing that could pass for one: `https://a.example@evil.example` leads to the second,
# and about `\` and `%` in it readers of addresses disagree. Other letters come as `xn--…`.
SAFE_LINK = re.compile(
    r"https?://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:[/?#]\S*)?|mailto:\S+",
    re.IGNORECASE | re.ASCII,
)
LINK_SCHEMES = {"http", "https", "mailto"}
LINK_REL = "noopener noreferrer nofollow ugc"


def _words(text: str) -> set[str]:
    return set(text.split())


BLOCKS = _words("p h3 h4 h5 h6 ul ol li blockquote pre div hr table thead tbody tr th td")
INLINES = _words("a em strong s code br span")
MATH = _words(
    "math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot mover munder"
    " munderover mmultiscripts mprescripts none mtable mtr mtd mlabeledtr mstyle mpadded mphantom"
    " menclose merror"
)
MATH_ATTRIBUTES = _words(
    "display displaystyle scriptlevel mathvariant mathsize mathcolor mathbackground stretchy fence"
    " separator form lspace rspace minsize maxsize movablelimits accent accentunder largeop"
    " symmetric linethickness bevelled width height depth voffset rowspacing columnspacing"
    " columnalign rowalign columnlines rowlines frame columnspan notation linebreak"
)
_CLASS = re.compile(r"hl-[a-z0-9]{1,4}|md-[a-z]+(?:-[a-z]+)*")
_ATTRIBUTE_VALUES = {
    "dir": re.compile("auto|ltr"),
    "data-language": re.compile(r"[a-z0-9][a-z0-9+#._-]{0,29}"),
    "start": re.compile(r"\d{1,9}"),
    "tabindex": re.compile("0"),
    "href": SAFE_LINK,
}
# Small lengths only: \rule{999em}{999em} would paint over the page.
_LENGTH = r"[+-]?(?:\d{1,2}(?:\.\d{0,4})?|\.\d{1,4})(?:em|ex|px|pt|mu|%)?"
_MATH_VALUE = re.compile(
    rf"{_LENGTH}(?: {_LENGTH}){{0,20}}|[a-zA-Z-]{{1,40}}(?: [a-zA-Z-]{{1,40}}){{0,20}}"
    r"|#[0-9a-fA-F]{3,8}"
)


def clean(html: str) -> str:
    """Keep what is allowed; links get `rel` and open in a new tab. Linear time."""
    return _CLEANER.clean(html)


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        return " ".join(word for word in value.split() if _CLASS.fullmatch(word)) or None
    if tag in MATH:
        return value if _MATH_VALUE.fullmatch(value) else None
    pattern = _ATTRIBUTE_VALUES.get(name)
    return value if pattern is None or pattern.fullmatch(value) else None


_CLEANER = nh3.Cleaner(
    tags=BLOCKS | INLINES | MATH,
    attributes={
        "*": set(),  # nh3 would allow title and lang
        **{tag: {"class", "dir"} for tag in BLOCKS - {"hr"}},
        **dict.fromkeys(MATH, MATH_ATTRIBUTES),
        "a": {"href"},
        "ol": {"start", "class", "dir"},
        "pre": {"class", "dir", "data-language", "tabindex"},
        "div": {"class", "dir", "tabindex"},
        "span": {"class"},
        "code": {"class"},
    },
    attribute_filter=_filter_attribute,
    url_schemes=LINK_SCHEMES,
    url_relative="deny",
    link_rel=LINK_REL,
    set_tag_attribute_values={"a": {"target": "_blank"}},
)
