"""The page as an app: installable, readable without a network, and forgetful of who signed out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from tests.browser.pages import ChatPage
from tests.browser.server import ServerProcess

NO_NETWORK = r"ERR_INTERNET_DISCONNECTED|WebSocket connection"
KEPT = """async () => {
    const cache = (await caches.has("vl-private")) ? await caches.open("vl-private") : null;
    return ((await cache?.keys()) ?? []).map(({ url }) => new URL(url).pathname).sort();
}"""


def kept(page: Page) -> list[str]:
    """Give the paths of what is kept for this person."""
    paths: list[str] = page.evaluate(KEPT)
    return paths


def controlled(chat: ChatPage) -> None:
    """Wait until the service worker sees to the page."""
    chat.page.wait_for_function("() => navigator.serviceWorker.controller !== null")


def test_what_was_loaded_is_read_without_a_network_until_the_sign_out(
    person: Callable[..., ChatPage], server: ServerProcess, console: Console
) -> None:
    console.allow(NO_NETWORK)
    alice = person(server, service_workers="allow")
    page, context = alice.page, alice.page.context
    controlled(alice)
    alice.ask("Tell me everything.")
    alice.expect_answered()
    alice.reload()
    alice.expect_connected()
    address = page.url

    context.set_offline(True)
    alice.reload()
    expect(alice.answer_text()).to_contain_text("three shapes")
    expect(page.locator("[data-banner-text]")).to_contain_text("You are offline.")
    page.goto(f"{alice.url}/accounts/email/")
    expect(page.get_by_role("heading", name="No network")).to_be_visible()
    alice.shot("no-network")
    page.get_by_role("link", name="Tell me everything.").click()
    expect(alice.answer_text()).to_contain_text("three shapes")

    context.set_offline(False)
    alice.reload()
    alice.expect_connected()
    assert kept(page) != []
    page.get_by_role("button", name="Account and settings").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).not_to_have_url(address)
    page.wait_for_function(f"async () => (await ({KEPT})()).length === 0")


UNSENT = "() => Object.keys(localStorage).filter((key) => /outbox|drafts|options/.test(key))"


@pytest.mark.parametrize("is_asked_once_more", [False, True])
def test_what_was_not_sent_is_forgotten_with_the_sign_out_and_not_before(
    person: Callable[..., ChatPage],
    server: ServerProcess,
    console: Console,
    is_asked_once_more: bool,
) -> None:
    console.allow(r"Failed to load resource|WebSocket")
    alice = person(server)
    page = alice.page
    alice.composer.fill("A half-written secret")
    page.wait_for_function("() => JSON.stringify(localStorage).includes('secret')")
    page.evaluate("() => { localStorage.setItem('vl.theme', 'dark'); }")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.goto(f"{alice.url}/")
    expect(page).to_have_url(f"{alice.url}/accounts/login/?next=/")
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.goto(f"{alice.url}/")
    expect(alice.composer).to_have_value("A half-written secret")

    if is_asked_once_more:
        page.goto(f"{alice.url}/accounts/logout/")
        page.get_by_role("button", name="Sign out").click()
    else:
        page.get_by_role("button", name="Account and settings").click()
        page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")

    assert page.evaluate(UNSENT) == []
    assert page.evaluate("() => localStorage.getItem('vl.theme')") == "dark"


def test_what_is_kept_goes_when_the_session_is_over_and_when_somebody_else_comes(
    person: Callable[..., ChatPage], server: ServerProcess, console: Console
) -> None:
    console.allow(r"Failed to load resource|WebSocket")
    alice = person(server, service_workers="allow")
    page, context = alice.page, alice.page.context
    controlled(alice)
    alice.reload()
    alice.expect_connected()
    assert "/" in kept(page)
    context.clear_cookies()
    page.goto(f"{alice.url}/")
    expect(page).to_have_url(f"{alice.url}/accounts/login/?next=/")
    assert kept(page) == []

    page.evaluate(
        """async () => {
            const cache = await caches.open("vl-private");
            await cache.put("/person", new Response("somebody else"));
            await cache.put("/c/00000000-0000-4000-8000-000000000000/", new Response("theirs"));
        }"""
    )
    bob = person(server)
    context.add_cookies(bob.page.context.cookies())  # type: ignore[arg-type]
    page.goto(f"{alice.url}/")
    alice.expect_connected()
    page.wait_for_function(f"async () => (await ({KEPT})()).join() === '/,/person'")


def test_the_app_can_be_installed(person: Callable[..., ChatPage], server: ServerProcess) -> None:
    alice = person(server, service_workers="allow", locale="zh-CN")
    devtools = alice.page.context.new_cdp_session(alice.page)

    manifest = devtools.send("Page.getAppManifest")
    wrong = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]

    assert manifest["errors"] == []
    assert "与您的图片实时对话。" in manifest["data"]
    assert [error["errorId"] for error in wrong if error["errorId"] != "in-incognito"] == []


def test_a_long_answer_is_told_to_who_looks_elsewhere(
    person: Callable[..., ChatPage], server: ServerProcess
) -> None:
    alice = person(server)
    page = alice.page
    page.context.grant_permissions(["notifications"], origin=alice.url)
    page.add_init_script(
        """
        let isHidden = false;
        Object.defineProperty(document, "hidden", { get: () => isHidden });
        window.look = (away) => {
            isHidden = away;
            document.dispatchEvent(new Event("visibilitychange"));
        };
        const now = performance.now.bind(performance);
        performance.now = () => now() * 20;  // ten seconds pass in half of one
        const later = window.setTimeout.bind(window);
        window.setTimeout = (run, ms) => later(run, ms === 10_000 ? 500 : ms);
        window.told = [];
        window.Notification = class extends EventTarget {
            static permission = "default";
            static async requestPermission() {
                return (Notification.permission = "granted");
            }
            constructor(title, { tag }) {
                super();
                window.told.push(`${title} ${tag.length}`);
            }
        };
        """
    )
    alice.open_home()
    alice.ask("Count slowly.")
    page.get_by_role("button", name="Yes, tell me").click()
    page.evaluate("look(true)")
    page.wait_for_function("() => window.told.length === 1")
    assert page.evaluate("window.told") == ["Count slowly. 36"]
    assert page.title().startswith("● Count slowly.")
    page.evaluate("look(false)")
    expect(page).to_have_title("Count slowly. · VL Live Chat")
    page.get_by_role("button", name="Account and settings").click()
    switch = page.get_by_role("button", name="Tell me when an answer is done")
    expect(switch).to_have_attribute("aria-pressed", "true")
    alice.shot("account-menu")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
