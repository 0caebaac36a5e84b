"""People behind a proxy that refuses WebSockets: everything works, by HTTP and events."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.blocking_proxy import Address
from tests.browser.conftest import Console
from tests.browser.pages import ChatPage


def test_asking_following_and_stopping_work_where_sockets_are_refused(
    person: Callable[..., ChatPage], behind_proxy: Address, console: Console
) -> None:
    console.allow("WebSocket connection")
    alice = person(behind_proxy)
    alice.ask("What is this?")
    alice.expect_answered()
    alice.ask("Count slowly.")
    expect(alice.answer_text()).to_contain_text("word5")
    alice.shot("without-sockets")
    alice.reload()
    expect(alice.answer_text()).to_contain_text("word9")
    alice.stop()
    expect(alice.answers.last.locator("[data-note-text]")).to_have_text("Stopped.")

    other = alice.second_tab()
    alice.ask("What is this?")
    expect(other.questions).to_have_count(3)

    assert behind_proxy.refused > 0


def test_an_answer_begun_over_http_goes_on_over_the_socket(
    person: Callable[..., ChatPage], behind_proxy: Address, console: Console
) -> None:
    console.allow("WebSocket connection")
    alice = person(behind_proxy)
    alice.ask("Count slowly.")
    expect(alice.answer_text()).to_contain_text("word5")
    passed_before = behind_proxy.passed.is_set()

    behind_proxy.blocks = False
    alice.page.evaluate("dispatchEvent(new Event('online'))")  # try again now
    passed_then = behind_proxy.passed.wait(timeout=20)
    alice.stop()
    expect(alice.answers.last.locator("[data-note-text]")).to_have_text("Stopped.")
    shown = alice.answer_text().inner_text()
    alice.reload()
    expect(alice.answer_text()).to_have_text(shown)

    assert (passed_before, passed_then) == (False, True)
