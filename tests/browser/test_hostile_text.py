"""Hostile texts as question and answer in the real page: nothing runs, nothing is fetched.

The server's own frames are cut on their way to the page, so that it gets each answer one character
at a time: every place where a text can be split is tried. `ATTACK_TEXT_BATCHES` makes more of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from tests.browser.pages import ChatPage, sign_up
from tests.browser.server import ServerProcess
from tests.chat.hostile_text import payloads

BATCH = 43
BATCHES = int(os.environ.get("ATTACK_TEXT_BATCHES", "2"))
BATCHES_A_PAGE = 2
TEXT_CHARS = 100_000
DEADLINE_MS = 60_000
# What a script of a stranger would leave behind, and what the policy would report.
WATCH = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.reports.push(event.violatedDirective + " " + event.blockedURI));
window.attacked = () => window.reports.push("a script ran");
"""
LINKS = """() => [...document.querySelectorAll("[data-messages] [data-body] a")].map((link) => ({
    rel: link.rel, target: link.target, host: new URL(link.href).hostname, scheme: link.protocol,
    path: decodeURIComponent(link.pathname).toLowerCase(), words: link.textContent.toLowerCase(),
}))"""


class Watched:
    """A page of whose browser every request, dialog and report is noted."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._own = urlsplit(url).netloc
        self.wrong: list[str] = []
        context.add_init_script(WATCH)
        context.on("request", lambda request: self._request(request.url))
        context.on("dialog", lambda dialog: self._note(f"dialog: {dialog.message}", dialog.dismiss))
        context.on("page", lambda page: self._note(f"another page: {page.url}"))

    def look(self, page: Page) -> list[str]:
        """Give everything that should not have happened."""
        return [*self.wrong, *page.evaluate("window.reports")]

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self._own:
            self.wrong.append(f"request: {url}")

    def _note(self, what: str, then: Callable[[], None] = lambda: None) -> None:
        self.wrong.append(what)
        then()


@pytest.fixture(scope="module")
def roomy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve long questions."""
    environment = {
        "VL_BACKEND": "scripted",
        "VL_TEXT_CHARS": str(TEXT_CHARS),
        "VL_MAX_TOKENS": "8192",
        "VL_PERSON_TURNS_PER_MINUTE": "0",
        "VL_ADDRESS_TURNS_PER_MINUTE": "0",
    }
    process = ServerProcess(tmp_path_factory.mktemp("roomy"), environment)
    process.start()
    yield process
    process.stop()


class Cutter:
    """Lets everything through to the page, and text in the smallest pieces."""

    def __init__(self) -> None:
        self.pieces = 0

    def __call__(self, route: WebSocketRoute) -> None:
        """Stand between a socket of the page and the server."""
        server = route.connect_to_server()

        def cut(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] != "partial":
                route.send(message)
                return
            start, content = frame["offset"], frame["content"]
            self.pieces += len(content)
            for place, char in enumerate(content):
                piece = {**frame, "offset": start + place, "content": char}
                route.send(json.dumps(piece))

        server.on_message(cut)


@pytest.mark.parametrize("first", range(0, BATCHES, BATCHES_A_PAGE))
def test_hostile_text_runs_and_fetches_nothing(
    new_context: Callable[..., BrowserContext],
    roomy_server: ServerProcess,
    tmp_path: Path,
    first: int,
) -> None:
    context = new_context()
    sign_up(context, roomy_server.url, "eve")
    page = context.new_page()
    watched = Watched(context, roomy_server.url)
    cutter = Cutter()
    page.route_web_socket("**/ws/chat/**", cutter)
    chat = ChatPage(page, roomy_server.url, tmp_path)
    chat.open_home()
    sent = 0
    for place in range(BATCHES_A_PAGE):
        # A question with NUL is refused; the renderer's own tests have them.
        text = "\n\n".join(payloads(first + place, BATCH)).replace("\0", "")
        sent += len(text)
        chat.ask(f"repeat {text}")
        done = page.locator('[data-role="assistant"][data-state="done"]')
        expect(done).to_have_count(place + 1, timeout=DEADLINE_MS)
        assert watched.look(page) == []
    # A slow machine has the end of some answers come with their last frame, in one piece.
    assert cutter.pieces >= 0.8 * sent
    # As the server draws it, title and list included.
    chat.reload()
    expect(chat.answers).to_have_count(BATCHES_A_PAGE)
    for link in page.evaluate(LINKS):
        assert link["target"] == "_blank"
        assert "noopener" in link["rel"]
        where = link["host"] if link["scheme"] != "mailto:" else link["path"]
        assert where in link["words"], link
    for element in page.locator("[data-messages] [data-body] *").all()[:200]:
        element.dispatch_event("mouseover")
    assert watched.look(page) == []


def test_the_watch_sees_what_it_watches_for(
    new_context: Callable[..., BrowserContext], roomy_server: ServerProcess
) -> None:
    """Guard the test above: each kind of harm, done on purpose, is noticed."""
    context = new_context()
    page = context.new_page()
    watched = Watched(context, roomy_server.url)
    page.goto(f"{roomy_server.url}/accounts/login/")

    page.evaluate(
        """() => {
            const image = document.createElement("img");
            image.src = "https://evil.example/pixel.png";
            document.body.append(image);
            window.attacked();
            setTimeout(() => alert("here"));
            fetch("/accounts/login/").catch(() => {});
        }"""
    )

    page.wait_for_function("window.reports.length >= 2")
    assert any("img-src" in report for report in watched.look(page))
    assert "a script ran" in watched.look(page)
    assert any("dialog" in wrong for wrong in watched.wrong)
