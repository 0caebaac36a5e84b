"""Draw the app's icons from its mark: `python -m tests.draw_icons`. A browser draws."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import sync_playwright

from chat.views.pwa import PAPER
from tests.browser.conftest import CHROMIUM, FLAGS

IMAGES = Path(__file__).parents[1] / "chat/static/chat/img"
# Name, side in px, and how much of it the mark takes: a maskable icon may be cut to a circle of
# 80 % of its side.
ICONS = (("icon-192", 192, 0.86), ("icon-512", 512, 0.86), ("icon-maskable-512", 512, 0.6))


def main() -> None:
    """Write the files beside the mark."""
    mark = (IMAGES / "favicon.svg").read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        for name, side_px, share in ICONS:
            is_masked = "maskable" in name
            page.set_viewport_size({"width": side_px, "height": side_px})
            page.set_content(
                f"<body style='margin:0;display:grid;place-items:center;height:100vh;"
                f"background:{PAPER if is_masked else 'transparent'}'>"
                f"<div style='width:{share:.0%}'>{mark}</div>"
            )
            page.screenshot(path=IMAGES / f"{name}.png", omit_background=not is_masked)
        browser.close()


if __name__ == "__main__":
    main()
