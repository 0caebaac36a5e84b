"""People behind a proxy that refuses WebSockets: everything works, by HTTP and events."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.blocking_proxy import blocking_proxy
from tests.browser.conftest import Console
from tests.browser.pages import ChatPage
from tests.browser.server import ServerProcess


def test_asking_following_and_stopping_work_where_sockets_are_refused(
    person: Callable[..., ChatPage], server: ServerProcess, console: Console
) -> None:
    console.allow("WebSocket connection")
    with blocking_proxy(server.port) as address:
        alice = person(address)
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

    assert address.refused > 0
