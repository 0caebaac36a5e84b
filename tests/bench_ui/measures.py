"""The rows of the table: each measures one thing in a browser of its own."""

from __future__ import annotations

import json
import re
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bench_ui import scripts
from tests.browser.axe import findings_in_both_looks
from tests.browser.conftest import DESKTOP
from tests.browser.pages import ChatPage, sign_up
from tests.browser.places import PLACES, make_everything
from tests.faults.figures import Figure, percentile

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, WebSocketRoute

    from tests.browser.server import ServerProcess

KIB = 1024
SLOW_MS = 120_000  # for what makes data, not for what is measured


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to measure."""

    browser: Browser
    server: ServerProcess
    folder: Path

    def arrive(self, **options: Any) -> ChatPage:
        """Sign a new person up in a browser profile of their own."""
        context = self.browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        context.set_default_timeout(SLOW_MS)
        sign_up(context, self.server.url, "alice")
        return ChatPage(context.new_page(), self.server.url, self.folder)

    def again(self, context: BrowserContext) -> BrowserContext:
        """Give the same person a browser with an empty cache."""
        return self.browser.new_context(viewport=DESKTOP, storage_state=context.storage_state())


def _figure(
    name: str, goal: str, measured: dict[str, float], limits: dict[str, float], runs: int = 1
) -> Figure:
    """Hold what was measured against what it may be at most."""
    wrong = [
        f"{key} {measured[key]:g} > {limit:g}"
        for key, limit in limits.items()
        if measured[key] > limit
    ]
    return Figure(name, goal, runs, {key: round(v, 1) for key, v in measured.items()}, wrong)


def size(bench: Bench) -> Figure:
    """Sum up the scripts and styles of a conversation's page as they come over the wire."""
    chat = bench.arrive()
    chat.open_home()
    files = chat.page.evaluate(scripts.BYTES)
    total = sum(count for _name, count in files)
    chat.page.context.close()
    measured = {"kib": total / KIB, "files": len(files)}
    return _figure("JS and CSS", "compressed, ≤ 90 KiB in all", measured, {"kib": 90})


def start(bench: Bench, runs: int = 5) -> Figure:
    """Open the empty page with an empty cache."""
    chat = bench.arrive()
    chat.open_home()  # the server's caches are warm, as they are for everybody but the first
    times = []
    for _ in range(runs):
        context = bench.again(chat.page.context)
        page = context.new_page()
        page.goto(f"{bench.server.url}/")
        page.wait_for_function("() => performance.getEntriesByName('vl-usable').length > 0")
        page.wait_for_function(
            "() => performance.getEntriesByName('first-contentful-paint').length > 0"
        )
        times.append(page.evaluate(scripts.START))
        context.close()
    chat.page.context.close()
    paint_ms = statistics.median(each["paint"] for each in times)
    usable_ms = statistics.median(each["usable"] for each in times)
    return _figure(
        "start, cold cache",
        "first paint ≤ 0.6 s, composer usable ≤ 1.0 s (medians)",
        {"paint_ms": paint_ms, "usable_ms": usable_ms},
        {"paint_ms": 600, "usable_ms": 1000},
        runs,
    )


def long_conversation(bench: Bench, runs: int = 3) -> Figure:
    """Open a conversation of 500 messages with 50 pictures, and scroll up through it."""
    chat = bench.arrive()
    chat.open_home()
    chat.ask("Make a long conversation.")
    chat.page.wait_for_selector('[data-role="assistant"][data-state="done"]', timeout=SLOW_MS)
    found = re.search(r"[0-9a-f-]{36}", chat.answer_text().inner_text())
    assert found is not None
    readable, nodes, longest, busiest, shown = [], [], [], [], 0
    for _ in range(runs):
        context = bench.again(chat.page.context)
        page = context.new_page()
        page.add_init_script(scripts.READABLE + scripts.LONG_TASKS)
        page.goto(f"{bench.server.url}/c/{found.group()}/")
        page.wait_for_function("() => window.readableMs !== undefined")
        readable.append(page.evaluate("window.readableMs"))
        nodes.append(page.evaluate("document.querySelectorAll('*').length"))
        page.wait_for_selector('[data-connection][data-state="connected"]')
        bench.browser.start_tracing(page=page, categories=["toplevel"])
        shown = page.evaluate(scripts.SCROLL_UP)
        busiest.append(max(_tasks_ms(bench.browser.stop_tracing())))
        longest.append(page.evaluate("Math.max(0, ...window.longTasks)"))
        context.close()
    chat.page.context.close()
    measured = {
        "readable_ms": statistics.median(readable),
        "nodes": max(nodes),
        "longest_task_ms": min(longest),
        "of_processor_ms": min(busiest),  # what other programs disturb least
        "not_reached": 500 - shown,
    }
    return _figure(
        "500 messages, 50 pictures",
        "readable ≤ 1.0 s, ≤ 3,000 nodes, all reached by scrolling without a task over 50 ms",
        measured,
        {"readable_ms": 1000, "nodes": 3000, "longest_task_ms": 50, "not_reached": 0},
        runs,
    )


def _tasks_ms(trace: bytes) -> list[float]:
    """Read how much processor time each task of the page's main thread took."""
    events = json.loads(trace)["traceEvents"]
    threads: dict[tuple[int, int], list[float]] = {
        (event["pid"], event["tid"]): [0]
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in events:
        place = event["pid"], event["tid"]
        if event["name"] == "ThreadControllerImpl::RunTask" and place in threads:
            threads[place].append(event.get("tdur", 0) / 1000)
    return max(threads.values(), key=sum)  # a spare process has hardly any


def text(bench: Bench, pieces: int = 600, per_s: float = 60) -> Figure:
    """Send text at a pace through the page's socket; measure until it is painted."""
    chat = bench.arrive()
    sockets: list[WebSocketRoute] = []
    replies: list[str] = []

    def join(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        sockets.append(route)

        def pass_on(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] == "accepted":
                replies.append(frame["reply"])
            if frame["type"] not in ("partial", "final", "status"):
                route.send(message)  # the answer's text is ours

        server.on_message(pass_on)

    chat.page.route_web_socket(re.compile("/ws/chat/"), join)
    chat.open_home()
    chat.page.evaluate(scripts.SHOWN)
    chat.ask("What is this?")
    chat.page.wait_for_selector('[data-messages] [data-role="user"][data-message]')
    while not replies:
        chat.page.wait_for_timeout(20)  # lets the socket's frames in
    offset, began = 0, time.monotonic()
    for number in range(pieces):
        chat.page.wait_for_timeout(max(0, began + number / per_s - time.monotonic()) * 1000)
        content = f"word <{time.time_ns() // 1_000_000}> "
        frame = {"type": "partial", "reply": replies[0], "offset": offset, "content": content}
        sockets[-1].send(json.dumps(frame))
        offset += len(content)
    took_s = time.monotonic() - began
    chat.page.wait_for_timeout(500)
    delays: list[float] = chat.page.evaluate("[...window.shown.values()]")
    chat.page.context.close()
    return _figure(
        "text, once sent",
        "painted within 50 ms (p95) at 60 pieces/s",
        {"p50_ms": percentile(delays, 50), "p95_ms": percentile(delays, 95),
         "pieces_per_s": pieces / took_s},
        {"p95_ms": 50},
        len(delays),
    )  # fmt: skip


def memory(bench: Bench, turns: int = 200) -> Figure:
    """Ask so many questions in one tab; compare the heap after the tenth and after the last."""
    chat = bench.arrive()
    chat.open_home()
    devtools = chat.page.context.new_cdp_session(chat.page)
    devtools.send("Performance.enable")

    def heap_bytes() -> float:
        devtools.send("HeapProfiler.collectGarbage")
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "JSHeapUsedSize"))

    before = 0.0
    for number in range(turns + 10):
        if number == 10:
            before = heap_bytes()
        chat.ask(f"Question {number}?")
        chat.page.wait_for_function(
            "(count) => document.querySelectorAll("
            "'[data-role=assistant][data-state=done]').length === count",
            arg=number + 1,
        )
    grown = (heap_bytes() - before) / KIB / KIB
    chat.page.context.close()
    name = f"memory over {turns} turns"
    return _figure(name, "grows ≤ 30 MiB", {"grown_mib": grown}, {"grown_mib": 30}, turns)


def axe(bench: Bench) -> Figure:
    """Look at every place with axe, light and dark, in both languages."""
    found: list[str] = []
    looked = 0
    for locale in ("en-GB", "zh-CN"):
        chat = bench.arrive(locale=locale, reduced_motion="reduce")
        make_everything(chat)
        for name, go in PLACES.items():
            looked += 2
            for look, lines in findings_in_both_looks(go(chat)).items():
                found += [f"{name}, {locale}, {look}: {line}" for line in lines]
        chat.page.context.close()
    return Figure("axe", "0 findings", looked, {"findings": len(found)}, found)
