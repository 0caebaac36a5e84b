"""How smoothly the page shows a long answer: python -m tests.browser.long_answer.

The socket is played here, 60 pieces a second of 20 characters, and so are the calls for complete
blocks, so that nothing but the page is measured. Prints, for each kind of text, the time between
two frames (median, 95th percentile, the longest), the longest task, and the processor time of the
page's main thread, which other programs disturb least: in the first quarter, in the last one, where
what grows with the answer shows, and at the end. `blocks` tells of the calls, of the nodes that
came of them, and how many of these the end left in place.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import sync_playwright

from chat.rendering import render, render_complete
from tests.browser.conftest import CHROMIUM, DESKTOP, FLAGS, SCREENSHOTS
from tests.browser.pages import ChatPage, sign_up
from tests.browser.scripted_server import EVERYTHING
from tests.browser.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route, WebSocketRoute

CHARS = 20_000
PIECE_CHARS = 20
PIECES_PER_S = 60
END_MS = 1000
SENTENCE = "The picture shows a red circle beside a blue square, and a yellow star below both. "
TEXTS = {
    "paragraphs": (SENTENCE * 4 + "\n\n") * 80,
    "one paragraph": SENTENCE * 300,
    "everything": (EVERYTHING + "\n") * 40,
    "a table": "| place | shape | colour |\n|---|---|---|\n" + "| left | circle | red |\n" * 900,
    "code": "```python\n" + "area = math.pi * radius_px**2  # square pixels\n" * 500,
}
# The nodes of complete blocks that are there; how many of them still are.
NOTE_BLOCKS = """body => {
    window.blocks = [...body.children].filter(({ dataset }) => dataset.live === undefined);
    return window.blocks.length;
}"""
KEPT_BLOCKS = "() => window.blocks.filter(({ isConnected }) => isConnected).length"
WATCH = """() => {
    window.frames_ms = [];
    window.tasks = [];
    let last = performance.now();
    const tick = (now) => {
        window.frames_ms.push([now, now - last]);
        last = now;
        requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    new PerformanceObserver((list) => {
        for (const { startTime, duration } of list.getEntries()) {
            window.tasks.push([startTime, duration]);
        }
    }).observe({ type: "longtask" });
}"""


class PlayedAnswer:
    """A socket that answers the one question with a text, piece by piece."""

    def __init__(self, text: str) -> None:
        """Answer with this text."""
        self.text = text
        self.reply = str(uuid.uuid4())
        self.is_asked = False
        self.calls = 0
        self._socket: WebSocketRoute | None = None

    def serve(self, socket: WebSocketRoute) -> None:
        """Play the server's side of a socket."""
        self._socket = socket
        socket.on_message(lambda message: self._hear(json.loads(str(message))))
        limits = {"text_chars": 8000, "images_per_turn": 8, "upload_bytes": 2**20}
        limits |= {"max_tokens": 1024, "context_tokens": 8192}
        self.send(type="info", content="", model="played", demo=False, protocol=1, limits=limits)

    def give_blocks(self, route: Route) -> None:
        """Play the server's side of a call for complete blocks."""
        self.calls += 1
        part = parse_qs(urlsplit(route.request.url).query)
        offset, until = int(part["offset"][0]), int(part["until"][0])
        chars, html = render_complete(self.text[offset:until])
        route.fulfill(json={"offset": offset, "end": offset + chars, "html": html})

    def send(self, **frame: Any) -> None:
        """Send a frame to the page."""
        assert self._socket is not None
        self._socket.send(json.dumps(frame))

    def write(self, page: Page, at_quarter: Callable[[], None]) -> None:
        """Send all pieces in their time; say when each quarter begins."""
        began = time.monotonic()
        for number, offset in enumerate(range(0, len(self.text), PIECE_CHARS)):
            if offset % (CHARS // 4) == 0:
                at_quarter()
            piece = self.text[offset : offset + PIECE_CHARS]
            self.send(type="partial", reply=self.reply, offset=offset, content=piece)
            ahead_s = number / PIECES_PER_S - (time.monotonic() - began)
            if ahead_s > 0:
                page.wait_for_timeout(1000 * ahead_s)

    def end(self) -> None:
        """Send the end, rendered as the server does."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        end: dict[str, Any] = {"content": self.text, "html": render(self.text), "usage": {}}
        end |= {"finish_reason": "stop", "timings": {}, "model": "played", "sha256": digest}
        self.send(type="final", reply=self.reply, conversation=str(uuid.uuid4()), **end)

    def _hear(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "message":
            self.is_asked = True
            turn = {"conversation": str(uuid.uuid4()), "message": str(uuid.uuid4()), "title": "?"}
            self.send(type="accepted", id=frame["id"], reply=self.reply, **turn)


class Clock:
    """The page's time, and the processor time of its main thread, at some moments."""

    def __init__(self, page: Page) -> None:
        """Begin to count."""
        self._page = page
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.moments: list[tuple[float, float]] = []

    def note(self) -> None:
        """Remember this moment: both in milliseconds."""
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        spent_s = next(each["value"] for each in metrics if each["name"] == "TaskDuration")
        self.moments.append((self._page.evaluate("() => performance.now()"), 1000 * spent_s))


def measure(chat: ChatPage, text: str) -> dict[str, Any]:
    """Show one answer and give the figures."""
    answer = PlayedAnswer(text[:CHARS])
    chat.page.route_web_socket("**/ws/chat/", answer.serve)
    chat.page.route("**/blocks/**", answer.give_blocks)
    chat.open_home()
    chat.ask("Tell me all.")
    chat.answers.first.wait_for()
    chat.page.evaluate(WATCH)
    clock = Clock(chat.page)
    answer.write(chat.page, clock.note)
    clock.note()
    shown = chat.answer_text().locator("[data-live]").evaluate("live => live.textContent")
    assert answer.text.endswith(shown), "the page lost text"
    blocks = chat.answer_text().evaluate(NOTE_BLOCKS)
    answer.end()
    chat.expect_answered()
    chat.page.wait_for_timeout(END_MS)
    clock.note()
    frames, tasks = chat.page.evaluate("() => [window.frames_ms, window.tasks]")
    spans = {"first quarter": (0, 1), "last quarter": (3, 4), "end": (4, 5)}
    kept = chat.page.evaluate(KEPT_BLOCKS)
    told: dict[str, Any] = {"blocks": {"calls": answer.calls, "nodes": blocks, "kept": kept}}
    for name, (first, last) in spans.items():
        (begin, before_ms), (end, after_ms) = clock.moments[first], clock.moments[last]
        spent = {"processor_ms": round(after_ms - before_ms)}
        told[name] = figures(frames, tasks, begin, end) | spent
    return told


def figures(frames: list[Any], tasks: list[Any], begin: float, end: float) -> dict[str, float]:
    """Sum up what began within a span of the page's time."""
    gaps = sorted(gap for at, gap in frames if begin <= at <= end)
    longest = max([ms for at, ms in tasks if begin <= at <= end], default=0)
    return {
        "median_ms": round(gaps[len(gaps) // 2], 1),
        "p95_ms": round(gaps[int(len(gaps) * 0.95)], 1),
        "longest_ms": round(gaps[-1], 1),
        "longest_task_ms": round(longest, 1),
    }


def main() -> None:
    """Measure each kind of text, in a fresh page."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = ServerProcess(Path(folder), {"VL_BACKEND": "scripted"})
        server.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            context = browser.new_context(viewport=DESKTOP)
            sign_up(context, server.url, "alice")
            for name, text in TEXTS.items():
                chat = ChatPage(context.new_page(), server.url, SCREENSHOTS)
                sys.stdout.write(json.dumps({name: measure(chat, text)}) + "\n")
                sys.stdout.flush()
                chat.page.close()
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
