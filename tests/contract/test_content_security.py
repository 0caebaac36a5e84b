"""No template holds what the Content-Security-Policy refuses, or what waits to be injected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract.documents import ROOT, read

# A file that people keep, with a policy of its own: `tests/chat/api/test_export.py`.
KEPT_FILE = "templates/chat/export.html"
TEMPLATES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("templates", "chat/templates")
    for path in (ROOT / folder).rglob("*.html")
    if path != ROOT / KEPT_FILE
)
SCRIPTS = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "chat/static/chat/js").glob("*.js")
)
# What is data, not script, is not run and not refused.
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", re.I)
UNESCAPED = re.compile(r"\|\s*safe\b|\{%\s*autoescape off")
# Help texts are Django's own: the rules for passwords come as a list.
MAY_BE_UNESCAPED = "templates/allauth/elements/fields.html"


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(INLINE_SCRIPT, id="inline script"),
        pytest.param(re.compile(r"<style\b", re.I), id="inline style"),
        pytest.param(re.compile(r"<[a-z][^<>]*\sstyle\s*=", re.I), id="style attribute"),
        pytest.param(re.compile(r"<[a-z][^<>]*\son[a-z]+\s*=", re.I), id="event handler"),
        pytest.param(
            re.compile(r"(href|src|action)\s*=\s*[\"']?\s*javascript:", re.I), id="script"
        ),
        pytest.param(re.compile(r"(src|href)\s*=\s*[\"']?(https?:)?//", re.I), id="another host"),
    ],
)
def test_a_template_holds_nothing_that_the_policy_refuses(
    template: str, refused: re.Pattern[str]
) -> None:
    found = refused.search(read(template))

    assert found is None, found


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name != MAY_BE_UNESCAPED])
def test_a_template_escapes_every_text(template: str) -> None:
    assert UNESCAPED.search(read(template)) is None


@pytest.mark.parametrize("script", [name for name in SCRIPTS if Path(name).name != "html.js"])
def test_only_one_script_turns_text_into_markup(script: str) -> None:
    found = re.search(
        r"\.(innerHTML|outerHTML)\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function",
        read(script),
    )

    assert found is None, found
