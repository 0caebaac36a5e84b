"""A real server, a real browser, and people who use it. Console errors fail a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    ViewportSize,
    sync_playwright,
)

from tests.browser.blocking_proxy import Address, blocking_proxy
from tests.browser.pages import ChatPage, sign_up
from tests.browser.server import ServerProcess

SCREENSHOTS = Path(__file__).parent / "screenshots"
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
UPLOAD_BYTES = 2**20
DESKTOP: ViewportSize = {"width": 1280, "height": 800}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, so that `-m "not browser"` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve scripted answers; most tests share this one."""
    environment = {"VL_BACKEND": "scripted", "VL_UPLOAD_BYTES": str(UPLOAD_BYTES)}
    process = ServerProcess(tmp_path_factory.mktemp("server"), environment)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Serve a single test, which may kill it."""
    process = ServerProcess(tmp_path, {"VL_BACKEND": "scripted"})
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve the bundled demo model."""
    process = ServerProcess(tmp_path_factory.mktemp("demo"), {"VL_BACKEND": "transformers"})
    process.start()
    yield process
    process.stop()


class Console:
    """What the browser complained of; `allow` names what a test provokes on purpose."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._allowed: list[str] = []

    def allow(self, pattern: str) -> None:
        """Expect errors that match."""
        self._allowed.append(pattern)

    def watch(self, page: Page) -> None:
        """Listen to a page."""
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))

    @property
    def unexpected(self) -> list[str]:
        """The errors that no test allowed."""
        allowed = re.compile("|".join(self._allowed) or r"(?!)")
        return [error for error in self.errors if not allowed.search(error)]

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" or "Content Security Policy" in text:
            self.errors.append(text)


@pytest.fixture
def console() -> Iterator[Console]:
    console = Console()
    yield console
    assert console.unexpected == []


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Make browser profiles; all of them are closed at the end."""
    contexts: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        context = browser.new_context(
            **{
                "viewport": DESKTOP,
                "locale": "en-GB",
                "reduced_motion": "reduce",
                "service_workers": "block",
                **options,
            }  # type: ignore[arg-type]
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def person(new_context: Callable[..., BrowserContext], console: Console) -> Callable[..., ChatPage]:
    """Sign somebody up on a server and give their chat page."""
    names = iter(("alice", "bob", "carol"))

    def arrive(on: ServerProcess, **options: object) -> ChatPage:
        context = new_context(**options)
        page = context.new_page()
        console.watch(page)
        sign_up(context, on.url, next(names))
        chat = ChatPage(page, on.url, SCREENSHOTS)
        chat.open_home()
        return chat

    return arrive


@pytest.fixture
def behind_proxy(tmp_path: Path) -> Iterator[Address]:
    """Serve a site that people reach through a proxy that refuses sockets."""
    process = ServerProcess(tmp_path, {"VL_BACKEND": "scripted"})
    with blocking_proxy(process.port) as address:
        process.environment["VL_PUBLIC_URL"] = address.url
        process.start()
        yield address
        process.stop()


@pytest.fixture
def alice(person: Callable[..., ChatPage], server: ServerProcess) -> ChatPage:
    """Alice at her desk, on the shared server."""
    return person(server)
