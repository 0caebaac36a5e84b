"""axe-core, put into a page by the browser's debugger: the product never serves it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[1] / "js/node_modules/axe-core/axe.min.js"
# WCAG 2.2 AA and axe's best practices; its experimental rules are not counted.
_RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    const lines = ({ id, nodes }) => nodes.map(
        ({ target, failureSummary }) => `${id}: ${target.join(" ")}\\n${failureSummary}`);
    return violations.flatMap(lines);
}"""

# Colours on their way to others are nobody's choice.
_SETTLE = """async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
}"""


@cache
def _source() -> str:
    if not SCRIPT.exists():
        raise RuntimeError(f"{SCRIPT} is missing: run `make scripts` (npm ci in tests/js).")
    return SCRIPT.read_text(encoding="utf-8")


def findings(page: Page) -> list[str]:
    """Give what axe finds wrong in the page as it is, each with its rule, place and reason."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"() => {{ {_source()} }}")
    found: Any = page.evaluate(_RUN)
    return [str(line) for line in found]


def findings_in_both_looks(page: Page) -> dict[str, list[str]]:
    """Give what axe finds in the light and in the dark look; an empty dict when all is well."""
    found = {}
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look, reduced_motion="reduce")
        page.evaluate(_SETTLE)
        wrong = findings(page)
        if wrong:
            found[look] = wrong
    return found
